import type { TunnelStats } from '../../native/index.ts';

/** Inner packets and octets of a tunnel since it is up, over all rekeys. */
export interface Traffic {
  readonly packetsIn: number;
  readonly octetsIn: number;
  readonly packetsOut: number;
  readonly octetsOut: number;
  /** ESP sequence numbers that never came. */
  readonly lostIn: number;
}

const noTraffic: Traffic = { packetsIn: 0, octetsIn: 0, packetsOut: 0, octetsOut: 0, lostIn: 0 };

export function trafficOf(tunnel: TunnelStats | undefined): Traffic {
  if (!tunnel) return noTraffic;
  const { received, sent, lost } = tunnel;
  return {
    packetsIn: received.packets,
    octetsIn: received.octets,
    packetsOut: sent.packets,
    octetsOut: sent.octets,
    lostIn: lost,
  };
}
