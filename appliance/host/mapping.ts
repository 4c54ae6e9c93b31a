/**
 * Networks that both sides of a tunnel use, translated one for one by the kernel's NAT, which repairs checksums and what ICMP errors
 * quote. Pure: chains of the one ruleset.
 *
 * Theory of operation. A host of ours asks a peer's host by the address it has here. That address is marked (`mapMark`), by which the
 * tunnel's own table is asked for the way (the address behind it may be one of ours), and becomes the peer's own before
 * routing; our address becomes what the peer sees after it. The other direction is the mirror, and answers are conntrack's. Filters
 * stand between the two and see real addresses only.
 */

import { localNetworks, type Mapped, networksSeen, seenAs } from '../config/mapping.ts';
import type { Config, PeerConfig } from '../config/schema.ts';
import { familyOf, formatPrefix, type Prefix } from '../lib/ip.ts';
import { addressMatches, block, quoted } from './nft-text.ts';

/** On packets to a mapped network; `network.ts` gives them a table of their own. */
export const mapMark = 0x6d617031;

export function mappingChains(config: Config): string[] {
  const peers = config.peers.filter(({ map }) => map.ours.length + map.theirs.length > 0);
  if (peers.length === 0) return [];
  const tunnel = quoted(config.tunnel.interface);
  const marks = peers.flatMap(({ map }) => map.theirs.map(({ as }) => `${daddr(as)} meta mark set ${mapMark}`));
  const out = peers.flatMap(({ map }) => map.theirs.map((row) => `${daddr(row.as)} ${toReal('daddr', row)}`));
  const inward = peers.flatMap((peer) => inwardRules(peer, tunnel));
  const sources = peers.flatMap((peer) => sourceRules(peer, localNetworks(peer, config)));
  return [
    ...block('chain map_mark', [
      'type filter hook prerouting priority mangle; policy accept;',
      ...marks.map((rule) => `iifname != ${tunnel} ${rule}`),
    ]),
    ...block('chain map_mark_own', ['type route hook output priority mangle; policy accept;', ...marks]),
    ...block('chain map_to', [
      'type nat hook prerouting priority dstnat; policy accept;',
      ...out.map((rule) => `iifname != ${tunnel} ${rule}`),
      ...inward,
    ]),
    ...block('chain map_to_own', ['type nat hook output priority -100; policy accept;', ...out]),
    ...block('chain map_from', [
      'type nat hook postrouting priority srcnat - 1; policy accept;',
      ...sources.map((rule) => `iifname ${tunnel} ${rule}`),
      ...peers.flatMap((peer) => ownSources(peer, tunnel)),
    ]),
    ...block('chain map_from_own', [
      'type nat hook input priority 100; policy accept;',
      ...sources.map((rule) => `iifname ${tunnel} ${rule}`),
    ]),
  ];
}

const ip = ({ address }: Prefix) => (familyOf(address) === 4 ? 'ip' : 'ip6');
const daddr = (prefix: Prefix) => `${ip(prefix)} daddr ${formatPrefix(prefix)}`;

/** From the other side's name of an address to the real one. */
function toReal(word: 'saddr' | 'daddr', row: Mapped): string {
  const [from, to] = [formatPrefix(row.as), formatPrefix(row.network)];
  return `dnat ${ip(row.as)} prefix to ${ip(row.as)} ${word} map { ${from} : ${to} }`;
}

function toSeen(row: Mapped): string {
  const [from, to] = [formatPrefix(row.network), formatPrefix(row.as)];
  return `snat ${ip(row.as)} prefix to ${ip(row.as)} saddr map { ${from} : ${to} }`;
}

/** The peer asks hosts of ours by the addresses it sees. */
function inwardRules({ map, networks }: PeerConfig, tunnel: string): string[] {
  return map.ours.flatMap((row) =>
    addressMatches('saddr', sameFamily(networks, row.as)).map(
      (from) => `iifname ${tunnel} ${from} ${daddr(row.as)} ${toReal('daddr', row)}`,
    ),
  );
}

/** Whose packet it is shows in what was asked first: two peers may have the same addresses, and see different ones of ours. */
function sourceRules({ map }: PeerConfig, local: readonly Prefix[]): string[] {
  return map.theirs.flatMap((row) =>
    sameFamily(
      local.map((prefix) => seenAs(prefix, map.ours)),
      row.as,
    ).map((seen) => `${ip(row.network)} saddr ${formatPrefix(row.network)} ct original ${daddr(seen)} ${toSeen(row)}`),
  );
}

/** Hosts of ours ask the peer. */
function ownSources(peer: PeerConfig, tunnel: string): string[] {
  return peer.map.ours.flatMap((row) =>
    sameFamily(networksSeen(peer), row.as).map(
      (asked) =>
        `oifname ${tunnel} ${ip(row.network)} saddr ${formatPrefix(row.network)} ct original ${daddr(asked)} ${toSeen(row)}`,
    ),
  );
}

function sameFamily(prefixes: readonly Prefix[], other: Prefix): Prefix[] {
  return prefixes.filter(({ address }) => familyOf(address) === familyOf(other.address));
}
