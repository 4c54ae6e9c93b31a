/** Whether there is a way to the internet at all, as far as the box's own ports tell. Pure. */
import type { Zone } from '../config/zones.ts';
import type { Link, Placement } from '../host/interfaces.ts';

export interface Wan {
  /** `unknown`: the ports are in order; whether the provider is, only traffic tells. */
  readonly state: 'up' | 'down' | 'unknown';
  /** What is wrong when it is down, for a person. */
  readonly sentence: string | null;
}

/**
 * `down` is said only of what nobody can doubt, since names are no longer asked for then. A tunnel that is called up may
 * be so for the seconds that its peer has left to answer: the ports are looked at first.
 */
export function wanOf(
  zones: readonly Zone[],
  { links, placement }: { readonly links: readonly Link[]; readonly placement: Placement },
  tunnelUp: boolean,
): Wan {
  const faults = zones
    .filter(({ kind }) => kind === 'wild')
    .map(({ name }) => faultOf(placement.devices.get(name), links));
  const [first] = faults;
  if (first && faults.every((fault) => fault !== null)) return { state: 'down', sentence: first };
  return { state: tunnelUp ? 'up' : 'unknown', sentence: null };
}

function faultOf(device: string | undefined, links: readonly Link[]): string | null {
  const link = links.find(({ name }) => name === device);
  if (!link) return 'The box has no port to the internet: it is missing or named otherwise.';
  if (!link.up || !link.carrier) {
    return `Nothing is connected to the port to the internet (${link.name}): no cable, or what is at its other end is off.`;
  }
  if (link.addresses.some(({ scope }) => scope === 'global')) return null;
  return `The port to the internet (${link.name}) has no address: the provider's router gives none.`;
}
