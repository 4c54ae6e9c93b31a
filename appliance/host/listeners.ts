/** What may reach the box itself from a zone. */
import type { Listener, Zone } from '../config/zones.ts';
import { familyOf } from '../lib/ip.ts';
import { inSet } from './nft-text.ts';

export interface TunnelPorts {
  readonly ike: number;
  readonly natTraversal: number;
}

/** Neighbour discovery and what comes with it works on a link only (RFC 4861 6.1: hop limit 255). */
const neighbours = 'ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept';
/** Told truths about packets of ours: checked by those who use them (RFC 4890 4.4.1). */
const icmpErrors = [
  'icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
  'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
];
const groupMembership =
  'icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept';

const echoLimited = ['icmp type echo-request', 'icmpv6 type echo-request'].map(
  (echo) => `${echo} limit rate 1000/second burst 1000 packets accept`,
);

const lanRules: Readonly<Record<Listener, readonly string[]>> = {
  dhcp: ['udp dport 67 accept', 'ip6 hoplimit 255 icmpv6 type nd-router-solicit accept'],
  dns: ['udp dport 53 accept', 'tcp dport 53 accept'],
  ntp: ['udp dport 123 accept'],
  ping: ['icmp type echo-request accept', 'icmpv6 type echo-request accept'],
  ssh: ['tcp dport 22 accept'],
};

/** A chain's rules; the last one drops. */
export function listenerRules(zone: Zone, ports: TunnelPorts): string[] {
  return zone.kind === 'wild' ? wildRules(zone, ports) : insideRules(zone);
}

function wildRules({ listeners }: Zone, { ike, natTraversal }: TunnelPorts): string[] {
  return [
    `udp dport ${inSet([`${ike}`, `${natTraversal}`])} accept`,
    'meta l4proto esp accept',
    'udp sport 67 udp dport 68 accept',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
    neighbours,
    ...icmpErrors,
    'ct state established,related accept',
    ...(listeners.includes('ping') ? echoLimited : []),
    ...(listeners.includes('ssh') ? ['tcp dport 22 ct state new limit rate 10/minute burst 20 packets accept'] : []),
    'counter drop',
  ];
}

/** Only our address in this very zone answers: the box's other addresses belong to other zones. */
function insideRules({ addresses, listeners }: Zone): string[] {
  const own = (family: 4 | 6) => addresses.map(({ address }) => address).filter((each) => familyOf(each) === family);
  return [
    `ip daddr != ${inSet([...own(4), '255.255.255.255', '224.0.0.0/4'])} counter drop`,
    `ip6 daddr != ${inSet([...own(6), 'fe80::/10', 'ff00::/8'])} counter drop`,
    neighbours,
    groupMembership,
    'ct state established,related accept',
    ...listeners.flatMap((name) => lanRules[name]),
    'counter drop',
  ];
}
