import type { Endpoint, Path } from '../../appliance/lib/net.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';

/** What the internet carries: octets of IKE, or a packet of the model data plane. */
export type Datagram =
  | { readonly kind: 'ike'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'esp';
      readonly encapsulation: 'udp' | 'none';
      readonly spi: number;
      readonly key: string;
      readonly sequence: number;
      readonly number: number;
    };

export interface Weather {
  /** Probabilities per datagram. */
  readonly loss: number;
  readonly duplication: number;
  /** Milliseconds one way, chosen anew for every datagram: unequal ends reorder. */
  readonly delay: { readonly least: number; readonly most: number };
}

export type Receiver = (datagram: Datagram, path: Path) => void;

/** An address translator with endpoint-independent mapping and filtering in front of one address. */
interface Nat {
  readonly inside: string;
  readonly outside: string;
  readonly ports: Map<number, number>;
}

/** Hosts by address, NATs, and everything that happens to datagrams on their way. */
export class Internet {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #hosts = new Map<string, Receiver>();
  readonly #nats: Nat[] = [];
  readonly #onSend: (datagram: Datagram, path: Path, fate: string) => void;
  weather: Weather;
  partitioned = false;
  sent = 0;

  constructor(parts: {
    clock: Clock;
    chance: Chance;
    weather: Weather;
    onSend: (datagram: Datagram, path: Path, fate: string) => void;
  }) {
    this.#clock = parts.clock;
    this.#chance = parts.chance;
    this.weather = parts.weather;
    this.#onSend = parts.onSend;
  }

  attach(address: string, receiver: Receiver): void {
    this.#hosts.set(address, receiver);
  }

  /** What is still under way to it gets lost. */
  detach(address: string): void {
    this.#hosts.delete(address);
  }

  addNat(inside: string, outside: string): void {
    this.#nats.push({ inside, outside, ports: new Map() });
  }

  /** All mappings get new outside ports; what comes to the old ones is dropped. */
  rebind(): void {
    for (const nat of this.#nats) nat.ports.clear();
  }

  send(datagram: Datagram, path: Path): void {
    this.sent += 1;
    const { loss, duplication } = this.weather;
    const lost = this.partitioned || this.#chance.happens(loss) || this.#isBareThroughNat(datagram, path);
    this.#onSend(datagram, path, lost ? 'lost' : 'sent');
    if (lost) return;
    const from = this.#translate(path.local);
    this.#deliverLater(datagram, from, path.remote);
    if (this.#chance.happens(duplication)) this.#deliverLater(datagram, from, path.remote);
  }

  /** No NAT here knows protocol 50. */
  #isBareThroughNat(datagram: Datagram, path: Path): boolean {
    if (datagram.kind !== 'esp' || datagram.encapsulation === 'udp') return false;
    return this.#nats.some((nat) => nat.inside === path.local.address || nat.outside === path.remote.address);
  }

  #deliverLater(datagram: Datagram, from: Endpoint, to: Endpoint): void {
    const { least, most } = this.weather.delay;
    this.#clock.at(this.#clock.now + this.#chance.between(least, most), () => {
      const inside = this.#inside(to);
      const receiver = inside && this.#hosts.get(inside.address);
      if (inside && receiver && !this.partitioned) receiver(datagram, { local: inside, remote: from });
    });
  }

  #translate(from: Endpoint): Endpoint {
    const nat = this.#nats.find((each) => each.inside === from.address);
    if (nat === undefined) return from;
    const port = nat.ports.get(from.port) ?? 20_000 + (this.#chance.u32() % 40_000);
    nat.ports.set(from.port, port);
    return { address: nat.outside, port };
  }

  #inside(to: Endpoint): Endpoint | null {
    const nat = this.#nats.find((each) => each.outside === to.address);
    if (nat === undefined) return to;
    for (const [inside, outside] of nat.ports) {
      if (outside === to.port) return { address: nat.inside, port: inside };
    }
    return null;
  }
}
