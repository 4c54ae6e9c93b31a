import type { PeerStatus } from '../../appliance/tunnel/status.ts';

/** A tunnel's counters at one moment, in milliseconds of `performance.now()`. */
export interface Sample {
  readonly at: number;
  readonly traffic: PeerStatus['traffic'];
}

export function sampleOf(peer: PeerStatus, at: number): Sample {
  return { at, traffic: peer.traffic };
}

/** Bits per second of inner packets, and the share of the peer's ESP packets that never came. */
export function throughput(before: Sample, after: Sample): { in: number; out: number; loss: number } {
  const seconds = (after.at - before.at) / 1000;
  const rate = (octets: number) => (octets * 8) / seconds;
  const came = after.traffic.packetsIn - before.traffic.packetsIn;
  const lost = after.traffic.lostIn - before.traffic.lostIn;
  return {
    in: rate(after.traffic.octetsIn - before.traffic.octetsIn),
    out: rate(after.traffic.octetsOut - before.traffic.octetsOut),
    loss: came + lost === 0 ? 0 : lost / (came + lost),
  };
}
