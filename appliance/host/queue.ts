/**
 * The queue towards the provider: short whatever is sent, or one upload makes every call stutter (RFC 7567). Pure.
 *
 * Without a setting it is fair between flows, which is all that can be done where the narrow place is somebody else's. With the uplink's
 * rate the narrow place is ours, and the queue with it.
 */
import type { Zone } from '../config/zones.ts';
import type { Placement } from './interfaces.ts';

/** Milliseconds that a packet may wait where the kernel has nothing better than a bucket. */
const bucketLatencyMs = 15;

export interface QueueWish {
  readonly zone: string;
  readonly device: string;
  /** Words for `tc qdisc replace dev DEVICE root`, best first: which one the kernel has shows when it is tried. */
  readonly attempts: readonly string[];
}

export function queueWishes(zones: readonly Zone[], placement: Placement): QueueWish[] {
  return zones.flatMap((zone): QueueWish[] => {
    const device = placement.devices.get(zone.name);
    if (zone.kind !== 'wild' || device === undefined) return [];
    return [{ zone: zone.name, device, attempts: attemptsFor(zone.uplinkMbit) }];
  });
}

function attemptsFor(mbit: number | undefined): string[] {
  if (mbit === undefined) return ['cake besteffort', 'fq_codel'];
  const rate = `${Math.round(mbit * 1000)}kbit`;
  // A bucket holds what passes in 2 ms, and at least two packets.
  const burst = Math.max(4000, Math.round((mbit * 1e6 * 0.002) / 8));
  return [`cake bandwidth ${rate} besteffort`, `tbf rate ${rate} burst ${burst} latency ${bucketLatencyMs}ms`];
}
