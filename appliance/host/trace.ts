/** Reads what `nft monitor trace` says, line by line, and says of each packet in one line what became of it. Pure. */

/** A packet whose end is never told is forgotten when this many newer ones are under way. */
const mostUnderWay = 1000;
/** Chains whose "accept" only means: go on. */
const passing = /^(raw_|map_|postrouting|c$)/;

export class Verdicts {
  readonly #packets = new Map<string, string>();

  /** The line about a packet whose fate this line of nft tells; null when it tells none. */
  take(line: string): string | null {
    const [, id = '', chain = '', what = ''] = /^trace id ([0-9a-f]+) \S+ \S+ (\S+) (.*)$/.exec(line.trim()) ?? [];
    if (id === '') return null;
    if (what.startsWith('packet:')) {
      this.#meet(id, what);
      return null;
    }
    const packet = this.#packets.get(id);
    const verdict = /\(verdict (accept|drop)\)$/.exec(what)?.[1] ?? /^policy (accept|drop)$/.exec(what)?.[1];
    if (packet === undefined || verdict === undefined) return null;
    if (verdict === 'accept' && passing.test(chain)) return null;
    this.#packets.delete(id);
    const rule = what
      .replace(/^rule /, '')
      .replace(/ ?\(verdict \w+\)$/, '')
      .replace(/counter packets \d+ bytes \d+/, 'counter');
    const fate = verdict === 'accept' ? 'passes ' : /\breject\b/.test(rule) ? 'refused' : 'dropped';
    return `${packet}  ${fate}  ${chain}: ${rule}`;
  }

  #meet(id: string, what: string): void {
    if (this.#packets.has(id)) return;
    this.#packets.set(id, packetText(what));
    const [oldest] = this.#packets.keys();
    if (this.#packets.size > mostUnderWay && oldest !== undefined) this.#packets.delete(oldest);
  }
}

/** `10.0.0.7:40000 -> 192.0.2.1:443 tcp, 60 octets`. */
function packetText(what: string): string {
  const word = (name: string) => new RegExp(`(?:^| )${name} (\\S+)`).exec(what)?.[1];
  const version = word('ip saddr') === undefined ? 'ip6' : 'ip';
  const protocol = word(version === 'ip' ? 'ip protocol' : 'ip6 nexthdr') ?? '?';
  const end = (side: 'saddr' | 'daddr', port: 'sport' | 'dport') => {
    const [address, number] = [word(`${version} ${side}`) ?? '?', word(`${protocol} ${port}`)];
    if (number === undefined) return address;
    return version === 'ip' ? `${address}:${number}` : `[${address}]:${number}`;
  };
  const kind = word(`${protocol === 'ipv6-icmp' ? 'icmpv6' : 'icmp'} type`);
  const ends = `${end('saddr', 'sport')} -> ${end('daddr', 'dport')}`;
  return `${ends} ${protocol}${kind === undefined ? '' : ` ${kind}`}, ${word(`${version} length`) ?? '?'} octets`;
}
