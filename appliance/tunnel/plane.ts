import type { Logger } from 'pino';
import { type Dataplane, type DataplaneEvent, openDataplane } from '../../native/index.ts';
import type { Config } from '../config/schema.ts';

const reopenMs = { first: 1000, longest: 30_000 } as const;

export interface PlaneEvents {
  event(event: DataplaneEvent): void;
  opened(): void;
}

/** The data plane, opened again and again while a port or the device is not to be had. */
export class Plane {
  readonly #log: Logger;
  readonly #events: PlaneEvents;
  #dataplane: Dataplane | null = null;
  #problem: string | null = null;
  #reopenMs: number = reopenMs.first;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, events: PlaneEvents) {
    this.#log = log;
    this.#events = events;
  }

  /** Null while it is not open. */
  get dataplane(): Dataplane | null {
    return this.#dataplane;
  }

  /** A sentence: why it is not open. */
  get problem(): string | null {
    return this.#problem;
  }

  open(tunnel: Config['tunnel']): void {
    clearTimeout(this.#timer);
    const { interface: name, mtu, ports, replayWindow, threads } = tunnel;
    try {
      const receive = (event: DataplaneEvent) => this.#events.event(event);
      this.#dataplane = openDataplane({ tun: { name, mtu }, ports, replayWindow, threads }, receive);
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#log.error({ problem: this.#problem, retrySeconds: this.#reopenMs / 1000 }, 'dataplaneNotOpened');
      this.#timer = setTimeout(() => this.open(tunnel), this.#reopenMs);
      this.#reopenMs = Math.min(reopenMs.longest, this.#reopenMs * 2);
      return;
    }
    this.#problem = null;
    this.#reopenMs = reopenMs.first;
    this.#log.info({ interface: name, mtu, ports }, 'dataplaneOpened');
    this.#events.opened();
  }

  /** No more attempts at it. */
  giveUp(): void {
    clearTimeout(this.#timer);
  }

  async close(): Promise<void> {
    this.giveUp();
    const closing = this.#dataplane;
    this.#dataplane = null;
    await closing?.close();
  }
}
