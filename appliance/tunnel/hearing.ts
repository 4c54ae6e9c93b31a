import type { Dataplane } from '../../native/index.ts';
import type { IkeEvent } from '../ike/api.ts';
import { Streams } from './roaming.ts';
import { Turns } from './turns.ts';

/** How often the data plane is asked which tunnels have received something: liveness that costs no packet. */
const aliveIntervalMs = 2000;
/** How often a home looks for streams that broke off; a portal waits to be told. */
const streamsIntervalMs = 250;

export interface HearingOptions {
  /** Null while there is none. */
  readonly dataplane: () => Dataplane | null;
  readonly isHome: () => boolean;
  readonly step: (event: IkeEvent) => void;
}

/** Tells IKE what the data plane hears of the peers, and what it hears no more. */
export class Hearing {
  readonly #options: HearingOptions;
  readonly #streams = new Streams();
  readonly #alive: Turns<number>;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(options: HearingOptions) {
    this.#options = options;
    this.#alive = new Turns((tunnel) => options.step({ kind: 'alive', tunnel }));
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#reportAlive(), aliveIntervalMs),
      setInterval(() => this.#followStreams(), streamsIntervalMs),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#alive.stop();
  }

  #reportAlive(): void {
    this.#alive.begin(this.#options.dataplane()?.heard(aliveIntervalMs) ?? []);
  }

  /** Somebody's NAT may have forgotten us: an authentic message shows the peer where we are. */
  #followStreams(): void {
    if (!this.#options.isHome()) return;
    for (const tunnel of this.#streams.brokenOff(this.#options.dataplane()?.saStats() ?? []))
      this.#options.step({ kind: 'check', tunnel });
  }
}
