/**
 * Networks that are in use on both sides of a tunnel, one for one under other addresses: host 7 of one is host 7 of the other. The
 * tunnel itself carries what the peer knows: its own addresses, and ours as it shall see them. Services read this file too: no zod.
 */
import { familyOf, formatPrefix, ipFromNumber, ipToNumber, type Prefix, prefixContains, prefixOf } from '../lib/ip.ts';
import type { Zone } from './zones.ts';

/** A row: what a network is where it is, and what it is called on the other side; as large. */
export interface Mapped {
  readonly network: Prefix;
  readonly as: Prefix;
}

export interface MappedPeer {
  readonly networks: readonly Prefix[];
  readonly map: { readonly ours: readonly Mapped[]; readonly theirs: readonly Mapped[] };
  /** Addresses that we give it: hosts of the peer as the networks are. */
  readonly assigns?: { readonly addresses: readonly string[] } | undefined;
}

/** The same hosts under the addresses of the other side; itself where no row is about it. */
export function seenAs(prefix: Prefix, rows: readonly Mapped[]): Prefix {
  const row = rows.find(({ network: real }) => real.length <= prefix.length && prefixContains(real, prefix.address));
  if (!row) return prefix;
  const offset = ipToNumber(prefix.address) - ipToNumber(row.network.address);
  const address = ipFromNumber(ipToNumber(row.as.address) + offset, familyOf(prefix.address));
  return { address, length: prefix.length };
}

interface Zoned {
  readonly zones: readonly Zone[];
  readonly tunnel: { readonly networks: readonly Prefix[] };
}

/**
 * What the tunnel to a peer brings there, under our own addresses: the networks of the zones that name it, or all of ours when
 * none does. So two employers may use the same addresses: who asks decides whom.
 */
export function localNetworks({ name }: { readonly name: string }, { zones, tunnel }: Zoned): readonly Prefix[] {
  const own = zones.filter(({ kind, peers }) => kind === 'work' && peers?.includes(name));
  if (own.length === 0) return tunnel.networks;
  return own.flatMap(({ addresses }) => addresses.map(({ network: each }) => each));
}

/** The peer's networks under the addresses that hosts of ours use. */
export function networksSeen({ networks, map, assigns }: MappedPeer): Prefix[] {
  const given = assigns?.addresses.map((address) => prefixOf(address, familyOf(address) === 4 ? 32 : 128)) ?? [];
  return [...networks.map((prefix) => seenAs(prefix, map.theirs)), ...given];
}

/** Those of the peer's networks whose own addresses say nothing here. */
export function hiddenNetworks({ networks, map }: MappedPeer): Prefix[] {
  return networks.filter((prefix) => formatPrefix(seenAs(prefix, map.theirs)) !== formatPrefix(prefix));
}

/** A sentence for each row: what people have to know who look for a host. */
export function mappingNotes(peers: readonly (MappedPeer & { readonly name: string })[]): string[] {
  return peers.flatMap(({ name, map: { ours, theirs } }) => [
    ...theirs.map(
      (row) =>
        `Hosts of ${name} in ${formatPrefix(row.network)} are reached from here as ${formatPrefix(row.as)}, one for one.`,
    ),
    ...ours.map(
      (row) =>
        `Hosts of ours in ${formatPrefix(row.network)} are seen by ${name} as ${formatPrefix(row.as)}, one for one.`,
    ),
  ]);
}

interface Facts {
  readonly peers: readonly MappedPeer[];
  readonly tunnel: { readonly networks: readonly Prefix[] };
}

/** What no row shows by itself: it must be about networks that are there. */
export function checkMapping(config: Facts, report: (path: (string | number)[], message: string) => void): void {
  const within = (inner: Prefix, outer: Prefix) => outer.length <= inner.length && prefixContains(outer, inner.address);
  for (const [index, { networks, map }] of config.peers.entries()) {
    for (const [side, own] of [
      ['ours', config.tunnel.networks],
      ['theirs', networks],
    ] as const) {
      for (const [row, { network: real }] of map[side].entries()) {
        if (own.some((each) => within(each, real))) continue;
        const whose = side === 'ours' ? 'tunnel.networks' : "the peer's networks";
        report(['peers', index, 'map', side, row, 'network'], `expected to hold one of ${whose} whole`);
      }
    }
  }
}
