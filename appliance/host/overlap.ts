/** Networks that are in two places at once: who loses, and what to do. Pure. */
import type { Config } from '../config/schema.ts';
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
    peer.networks.filter(({ length }) => length > 0).map((network): Place => ({ what: peer.name, network })),
  );
  return [
    ...pairs(homes, outside).map(
      ([home, wild]) =>
        `The network of ${home.what} (${formatPrefix(home.network)}) overlaps the one that the provider's router gave us (${formatPrefix(wild.network)}): give the zone another network.`,
    ),
    ...pairs(homes, companies).map(
      ([home, company]) =>
        `The network of ${home.what} (${formatPrefix(home.network)}) overlaps ${formatPrefix(company.network)} of ${company.what}: hosts there cannot be told from hosts at home; give the zone another network.`,
    ),
    ...pairs(outside, companies).map(
      ([wild, company]) =>
        `The provider's router uses ${formatPrefix(wild.network)}, which overlaps ${formatPrefix(company.network)} of ${company.what}: the company keeps it, and nothing else there can be reached.`,
    ),
  ];
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
