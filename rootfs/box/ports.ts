/** Which port looks at the world and which at the home, and how networkd is told. */

export interface Port {
  /** The kernel's name, such as `eth0`. */
  readonly name: string;
  readonly address: string;
  /** Where it is plugged in, such as `pci0000:00/0000:00:03.0`: stable over restarts, unlike the name. */
  readonly path: string;
}

export interface Sides {
  readonly wild: string;
  readonly work: string;
}

/** The first port by where it sits is the wild side, the second the LAN; once decided, hardware addresses keep their side. */
export function assignSides(ports: readonly Port[], remembered: Sides | null): Sides | null {
  const present = (address: string) => ports.some((port) => port.address === address);
  if (remembered && present(remembered.wild) && present(remembered.work)) return remembered;
  const [wild, work] = ports.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return wild && work ? { wild: wild.address, work: work.address } : null;
}

/** The commands that give the ports their names. A name may be taken by the other port: everything moves aside first. */
export function renames(ports: readonly Port[], sides: Sides): string[][] {
  const named = [
    { to: 'wild0', port: ports.find(({ address }) => address === sides.wild) },
    { to: 'work0', port: ports.find(({ address }) => address === sides.work) },
  ].flatMap(({ to, port }) => (port ? [{ to, from: port.name }] : []));
  const aside = named.map(({ from, to }) => ['link', 'set', from, 'name', `${to}x`]);
  return [...aside, ...named.map(({ to }) => ['link', 'set', `${to}x`, 'name', to])];
}

/** Whether a configuration has the wild side addressed by the supervisor (`addressing` of its zone) instead of by networkd. */
export function addressesWild(config: unknown): boolean {
  const { zones } = (config ?? {}) as { zones?: unknown };
  if (!Array.isArray(zones)) return false;
  return zones.some(({ kind, addressing = 'kept' }) => kind === 'wild' && addressing !== 'kept');
}

export interface NetworkFacts {
  readonly lanAddresses: readonly string[];
  /** The supervisor gives the wild side its address. */
  readonly wildIsTaken: boolean;
}

/** Files for /run/systemd/network. The wild side takes what the provider gives; the LAN side is up even with no cable. */
export function networkFiles({ lanAddresses, wildIsTaken }: NetworkFacts): Readonly<Record<string, string>> {
  return {
    '10-wild.network': wildIsTaken
      ? section('Match', ['Name=wild0']) + section('Link', ['Unmanaged=yes'])
      : wildNetwork,
    '20-work.network':
      section('Match', ['Name=work0']) +
      section('Network', [
        ...lanAddresses.map((address) => `Address=${address}`),
        'ConfigureWithoutCarrier=yes',
        'IPv6AcceptRA=no',
        'LinkLocalAddressing=ipv6',
        'LLMNR=no',
      ]) +
      section('Link', ['RequiredForOnline=no']),
  };
}

function section(name: string, lines: readonly string[]): string {
  return `[${name}]\n${lines.join('\n')}\n\n`;
}

const wildNetwork =
  section('Match', ['Name=wild0']) +
  section('Network', ['DHCP=yes', 'IPv6AcceptRA=yes', 'LLMNR=no', 'LinkLocalAddressing=ipv6']) +
  section('DHCPv4', ['ClientIdentifier=mac', 'UseHostname=no', 'UseNTP=yes', 'SendHostname=no']) +
  section('Link', ['RequiredForOnline=no']);
