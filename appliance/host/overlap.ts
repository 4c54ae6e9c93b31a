/** Networks that are in two places at once: who loses, and what to do. Pure. */
import { localNetworks, networksSeen, seenAs } from '../config/mapping.ts';
import type { Config, PeerConfig } from '../config/schema.ts';
import { overlaps } from '../config/zones.ts';
import { formatPrefix, type Prefix } from '../lib/ip.ts';
import type { Link, Placement } from './interfaces.ts';

interface Place {
  readonly what: string;
  readonly network: Prefix;
}

/** One sentence for each overlap of the home, the employers and the wild side. */
export function overlapProblems(config: Config, placement: Placement, links: readonly Link[]): string[] {
  const homes = config.zones
    .filter(({ kind }) => kind !== 'wild')
    .flatMap((zone) => zone.addresses.map(({ network }): Place => ({ what: `the zone ${zone.name}`, network })));
  const outside = config.zones
    .filter(({ kind }) => kind === 'wild')
    .flatMap((zone) => wildNetworks(placement.devices.get(zone.name), links));
  // A peer that is the way to everything overlaps everything, and is meant to.
  const companies = config.peers.flatMap((peer) =>
    networksSeen(peer)
      .filter(({ length }) => length > 0)
      .map((network): Place => ({ what: peer.name, network })),
  );
  return [
    ...pairs(homes, outside).map(
      ([home, wild]) =>
        `The network of ${home.what} (${formatPrefix(home.network)}) overlaps the one that the provider's router gave us (${formatPrefix(wild.network)}): give the zone another network.`,
    ),
    ...pairs(homes, companies).map(
      ([home, company]) =>
        `The network of ${home.what} (${formatPrefix(home.network)}) overlaps ${formatPrefix(company.network)} of ${company.what}: hosts there cannot be told from hosts at home; give the zone another network, or map both (peers.map).`,
    ),
    ...config.peers.flatMap((peer) => seenProblems(peer, config)),
    ...employerProblems(config),
    ...pairs(outside, companies).map(
      ([wild, company]) =>
        `The provider's router uses ${formatPrefix(wild.network)}, which overlaps ${formatPrefix(company.network)} of ${company.what}: the company keeps it, and nothing else there can be reached.`,
    ),
  ];
}

/** A home whose addresses the company has, too, gets no answers: the company's routers keep them. */
function seenProblems(peer: PeerConfig, config: Config): string[] {
  const real = peer.networks.filter(({ length }) => length > 0).map((network): Place => ({ what: peer.name, network }));
  const seen = localNetworks(peer, config)
    .map((network) => seenAs(network, peer.map.ours))
    .map((network): Place => ({ what: 'ours', network }));
  // Unmapped on both sides: said above.
  const isSaid = peer.map.ours.length + peer.map.theirs.length === 0;
  return isSaid || config.role === 'portal'
    ? []
    : pairs(seen, real).map(
        ([ours, theirs]) =>
          `${peer.name} sees us as ${formatPrefix(ours.network)}, which overlaps its own ${formatPrefix(theirs.network)}: no answer finds back; map ours, too (peers.map.ours).`,
      );
}

/** Two employers of one zone: which of them an address is of must be plain. */
function employerProblems(config: Config): string[] {
  if (config.role === 'portal') return [];
  const seen = (peer: PeerConfig) =>
    networksSeen(peer)
      .filter(({ length }) => length > 0)
      .map((network): Place => ({ what: peer.name, network }));
  const zones = (peer: PeerConfig) =>
    config.zones.filter(({ kind, peers }) => kind === 'work' && (peers?.includes(peer.name) ?? true));
  return config.peers.flatMap((one, index) =>
    config.peers
      .slice(index + 1)
      .filter((other) => zones(one).some((zone) => zones(other).includes(zone)))
      .flatMap((other) =>
        pairs(seen(one), seen(other)).map(
          ([a, b]) =>
            `${one.name} and ${other.name} both have ${formatPrefix(a.network.length > b.network.length ? a.network : b.network)}: give each a zone of its own, or map one (peers.map.theirs).`,
        ),
      ),
  );
}

function wildNetworks(device: string | undefined, links: readonly Link[]): Place[] {
  const link = links.find(({ name }) => name === device);
  return (link?.addresses ?? [])
    .filter(({ scope, network }) => scope === 'global' && network.length < 128)
    .map(({ network }) => ({ what: 'the wild side', network }));
}

function pairs(some: readonly Place[], others: readonly Place[]): [Place, Place][] {
  return some.flatMap((one) =>
    others.filter((other) => overlaps(one.network, other.network)).map((other): [Place, Place] => [one, other]),
  );
}
