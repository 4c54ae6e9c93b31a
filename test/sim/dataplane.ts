import type { IkeEffect } from '../../appliance/ike/api.ts';
import { hex } from '../../appliance/lib/bytes.ts';
import type { InboundSa, OutboundSa } from '../../appliance/lib/esp-sa.ts';
import type { Path } from '../../appliance/lib/net.ts';

interface Inbound {
  readonly sa: InboundSa;
  readonly key: string;
  readonly seen: Set<number>;
}

interface Outbound {
  readonly sa: OutboundSa;
  readonly key: string;
  path: Path;
  sequence: number;
  /** For its inbound SA to receive something. */
  waits: boolean;
}

interface Tunnel {
  active: Outbound | null;
  /** Those that wait, the active one and superseded ones, in the order of their installation. */
  all: Outbound[];
}

export type EspPacket = {
  readonly encapsulation: 'udp' | 'none';
  readonly spi: number;
  readonly key: string;
  readonly sequence: number;
  readonly number: number;
};

/** All that both ends of an SA must have alike, not only the key. */
function agreementOf(sa: InboundSa | OutboundSa): string {
  const { cipher, esn, aggfrag, capabilities } = sa;
  return `${hex(sa.key.reveal())} ${JSON.stringify([cipher, esn, aggfrag, capabilities])}`;
}

/**
 * A data plane without cryptography: a packet is "sealed" by naming its SPI, the very key and the sequence number, and
 * is opened only by an SA that has all of that. It follows `native/index.ts` and `lib/esp-sa.ts`.
 */
export class Dataplane {
  readonly #inbound = new Map<number, Inbound>();
  readonly #tunnels = new Map<number, Tunnel>();
  readonly #everUsed: Set<number>;
  readonly #fail: (problem: string) => void;

  constructor(everUsed: Set<number>, fail: (problem: string) => void) {
    this.#everUsed = everUsed;
    this.#fail = fail;
  }

  perform(effect: IkeEffect): void {
    switch (effect.kind) {
      case 'installInbound':
        this.#installInbound(effect.sa);
        break;
      case 'installOutbound':
        this.#installOutbound(effect.sa);
        break;
      case 'activateOutbound':
        this.#activate(effect.tunnel, (each) => each.sa.spi === effect.spi);
        break;
      case 'removeInbound':
        this.#inbound.delete(effect.spi);
        break;
      case 'removeOutbound':
        this.#removeOutbound(effect.tunnel, effect.spi);
        break;
      case 'movePath':
        this.#move(effect.tunnel, effect.path);
        break;
      default:
        break;
    }
  }

  #installInbound(sa: InboundSa): void {
    if (this.#everUsed.has(sa.spi)) this.#fail(`inbound SPI ${sa.spi} is used a second time`);
    this.#everUsed.add(sa.spi);
    this.#inbound.set(sa.spi, { sa, key: agreementOf(sa), seen: new Set() });
  }

  #installOutbound(sa: OutboundSa): void {
    const tunnel = this.#tunnels.get(sa.tunnel) ?? { active: null, all: [] };
    this.#tunnels.set(sa.tunnel, tunnel);
    tunnel.all.push({ sa, key: agreementOf(sa), path: sa.path, sequence: 0, waits: sa.activate !== 'now' });
    if (sa.activate === 'now') this.#activate(sa.tunnel, ({ sa: { spi } }) => spi === sa.spi);
  }

  #activate(number: number, which: (outbound: Outbound) => boolean): void {
    const tunnel = this.#tunnels.get(number);
    const index = tunnel?.all.findIndex(which) ?? -1;
    if (tunnel === undefined || index < 0) return;
    tunnel.active = tunnel.all[index] ?? null;
    for (const each of tunnel.all.slice(0, index + 1)) each.waits = false;
  }

  #removeOutbound(number: number, spi: number): void {
    const tunnel = this.#tunnels.get(number);
    if (tunnel === undefined) return;
    if (tunnel.active?.sa.spi === spi) tunnel.active = null;
    tunnel.all = tunnel.all.filter((each) => each.sa.spi !== spi);
    if (tunnel.all.length === 0) this.#tunnels.delete(number);
  }

  #move(number: number, path: Path): void {
    const tunnel = this.#tunnels.get(number);
    if (tunnel === undefined) return;
    for (const outbound of tunnel.all) outbound.path = path;
  }

  /** Seals packet `number` for the newest tunnel; null without one. */
  seal(number: number): { readonly packet: EspPacket; readonly path: Path } | null {
    const active = [...this.#tunnels.values()].flatMap(({ active }) => active ?? []).at(-1);
    if (active === undefined) return null;
    active.sequence += 1;
    const { sa, key, sequence, path } = active;
    const { encapsulation, spi } = sa;
    if (encapsulation === 'udp' && path.local.port !== 4500) this.#fail(`ESP in UDP from port ${path.local.port}`);
    return { packet: { encapsulation, spi, key, sequence, number }, path };
  }

  /** Whether `open` would take it. */
  hears({ spi, key, sequence }: EspPacket): boolean {
    const inbound = this.#inbound.get(spi);
    return inbound !== undefined && inbound.key === key && !inbound.seen.has(sequence);
  }

  /** The tunnel on which a fresh packet came; null when it was dropped. */
  open(packet: EspPacket, path: Path): number | null {
    const inbound = this.#inbound.get(packet.spi);
    if (inbound === undefined) return null;
    if (inbound.key !== packet.key) {
      this.#fail(`the ends have different keys for SPI ${packet.spi}`);
      return null;
    }
    if (inbound.seen.has(packet.sequence)) return null;
    inbound.seen.add(packet.sequence);
    const { tunnel, spi } = inbound.sa;
    this.#activate(tunnel, ({ sa, waits }) => waits && sa.activate !== 'now' && sa.activate.afterInbound === spi);
    if (this.#tunnels.get(tunnel)?.active?.sa.followPeer) this.#move(tunnel, path);
    return tunnel;
  }

  counts(): { readonly inbound: number; readonly outbound: number } {
    const outbound = [...this.#tunnels.values()].reduce((sum, { all }) => sum + all.length, 0);
    return { inbound: this.#inbound.size, outbound };
  }

  /** SPI and key of every SA, for the comparison of both ends. */
  pairs(): { readonly inbound: ReadonlyMap<number, string>; readonly outbound: ReadonlyMap<number, string> } {
    const inbound = new Map([...this.#inbound].map(([spi, { key }]) => [spi, key]));
    const outbound = new Map(
      [...this.#tunnels.values()].flatMap(({ all }) => all.map((each) => [each.sa.spi, each.key] as const)),
    );
    return { inbound, outbound };
  }
}
