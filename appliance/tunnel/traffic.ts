import type { SaStats } from '../../native/index.ts';

/** Inner packets and octets of a tunnel since the service started, over all rekeys. */
export interface Traffic {
  readonly packetsIn: number;
  readonly octetsIn: number;
  readonly packetsOut: number;
  readonly octetsOut: number;
  /** ESP sequence numbers that never came. */
  readonly lostIn: number;
}

export const noTraffic: Traffic = { packetsIn: 0, octetsIn: 0, packetsOut: 0, octetsOut: 0, lostIn: 0 };

export function withSa(sum: Traffic, sa: SaStats): Traffic {
  return sa.direction === 'inbound'
    ? {
        ...sum,
        packetsIn: sum.packetsIn + sa.packets,
        octetsIn: sum.octetsIn + sa.octets,
        lostIn: sum.lostIn + sa.lost,
      }
    : { ...sum, packetsOut: sum.packetsOut + sa.packets, octetsOut: sum.octetsOut + sa.octets };
}

/** Remembers which tunnel is whose, and what SAs had carried when they were removed. */
export class Ledger {
  readonly #peerOfTunnel = new Map<number, string>();
  readonly #past = new Map<string, Traffic>();

  name(tunnel: number, peer: string): void {
    this.#peerOfTunnel.set(tunnel, peer);
  }

  /** Call it with the statistics from just before the removal. */
  keep(stats: readonly SaStats[], direction: SaStats['direction'], spi: number): void {
    const sa = stats.find((each) => each.direction === direction && each.spi === spi);
    const peer = sa && this.#peerOfTunnel.get(sa.tunnel);
    if (sa && peer !== undefined) this.#past.set(peer, withSa(this.#past.get(peer) ?? noTraffic, sa));
  }

  /** The sums by peer name: of what is gone and of `stats`, what is there now. */
  totals(stats: readonly SaStats[]): (peer: string) => Traffic {
    const sums = new Map(this.#past);
    for (const sa of stats) {
      const peer = this.#peerOfTunnel.get(sa.tunnel);
      if (peer !== undefined) sums.set(peer, withSa(sums.get(peer) ?? noTraffic, sa));
    }
    return (peer) => sums.get(peer) ?? noTraffic;
  }
}
