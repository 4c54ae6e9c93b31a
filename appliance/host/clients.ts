/** Debian's own clients for a wild side that gets its address from outside: which programs, with which words and files. Pure. */
import type { Zone } from '../config/zones.ts';
import type { Placement } from './interfaces.ts';

export interface WildClient {
  /** The same work has the same text: what is unchanged goes on undisturbed. */
  readonly zone: string;
  readonly program: 'dhcpcd' | 'pppd';
  /** The Debian package that brings it. */
  readonly package: string;
  readonly command: readonly string[];
  /** Below the client's own folder: name to text. They may hold a password. */
  readonly files: Readonly<Record<string, string>>;
}

/** `folder`: the client's own, for files and for what it wants to find again. */
export function wildClients(
  zones: readonly Zone[],
  placement: Placement,
  folder: (zone: string) => string,
): WildClient[] {
  return zones.flatMap((zone): WildClient[] => {
    const device = placement.devices.get(zone.name);
    if (device === undefined) return [];
    if (zone.addressing === 'dhcp') return [dhcpcd(zone.name, device, folder(zone.name))];
    const line = placement.lines.get(zone.name);
    return line === undefined ? [] : [pppd(zone, device, line, folder(zone.name))];
  });
}

const dhcpcdConf = [
  '# Written by moat; changes here are overwritten.',
  'duid',
  // What is learned of names and clocks there is not ours to believe.
  'script /bin/true',
  'nohook resolv.conf, hostname, ntp.conf, timezone',
  'option interface_mtu, classless_static_routes',
  'require dhcp_server_identifier',
  'noipv4ll',
  // Asked for at once, and taken at once: a home waits for its tunnel.
  'nodelay',
  'noarp',
  'timeout 0',
  '',
].join('\n');

/**
 * In namespaces of its own: processes, so that no helper of it outlives it however it ends; and files, so that it finds its leases
 * again below our folder whatever else is read-only.
 */
function dhcpcd(zone: string, device: string, folder: string): WildClient {
  const script = [
    'mkdir -p /run/dhcpcd /var/lib/dhcpcd',
    'mount -t tmpfs -o mode=755 tmpfs /run/dhcpcd',
    `mount --bind ${folder}/leases /var/lib/dhcpcd`,
    `exec dhcpcd -B -f ${folder}/dhcpcd.conf ${device}`,
  ].join(' && ');
  const command = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script];
  return { zone, program: 'dhcpcd', package: 'dhcpcd-base', command, files: { 'dhcpcd.conf': dhcpcdConf } };
}

/** RFC 2516. The port itself has no address; what the provider gives is the interface's that pppd makes. */
function pppd({ name: zone, pppoe }: Zone, device: string, line: string, folder: string): WildClient {
  const service = pppoe?.service === undefined ? [] : [`pppoe-service ${quoted(pppoe.service)}`];
  const lines = [
    '# Written by moat; changes here are overwritten.',
    'plugin pppoe.so',
    ...service,
    `nic-${line}`,
    `ifname ${device}`,
    `user ${quoted(pppoe?.user ?? '')}`,
    `password ${quoted(new TextDecoder().decode(pppoe?.password.reveal()))}`,
    'nodetach',
    'noauth',
    'noipdefault',
    'defaultroute',
    '+ipv6',
    'noaccomp nopcomp default-asyncmap novj nobsdcomp nodeflate noccp',
    // 1500 less 8 of PPPoE (RFC 2516 7). The tunnel finds the path's own size.
    'mtu 1492',
    'mru 1492',
    // A line that has gone dead is noticed in half a minute.
    'lcp-echo-interval 10',
    'lcp-echo-failure 3',
    '',
  ];
  const command = ['pppd', 'file', `${folder}/pppd.conf`];
  return { zone, program: 'pppd', package: 'ppp', command, files: { 'pppd.conf': lines.join('\n') } };
}

/** pppd's quoting; the schema allows no line ends. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** By exit code (pppd(8)) or by what it says where it has one code for everything. */
const pppdEnds: readonly (readonly [code: number, said: RegExp | null, why: string])[] = [
  [4, null, 'the kernel of this box has no PPP'],
  [1, /kernel does not support PPP/i, 'the kernel of this box has no PPP'],
  [1, /PPPoE discovery/i, 'nobody answers PPPoE on this line'],
  [10, null, 'the two ends could not agree on how to speak PPP'],
  [15, null, 'the line went dead'],
  [16, null, 'the provider hung up'],
  [19, null, 'the provider does not accept the user name and password'],
];

/** Why the wild side has no address, as a sentence; null where the end says nothing. `last`: the last line it said. */
export function clientEnd(
  { zone, program, package: from }: WildClient,
  code: number | null,
  last: string,
): string | null {
  if (code === 0 || code === null) return null;
  const none = `The zone ${zone} gets no address`;
  if (code === 127) return `${none}: ${program} (Debian package ${from}) is not installed.`;
  const known =
    program === 'pppd' ? pppdEnds.find(([number, said]) => number === code && (said?.test(last) ?? true)) : undefined;
  return known ? `${none} by PPPoE: ${known[2]}.` : `${none}: ${program} ended with ${code} (${last.slice(0, 100)}).`;
}
