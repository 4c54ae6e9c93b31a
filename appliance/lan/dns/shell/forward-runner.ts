import { step } from '../forward/forwarder.ts';
import { upstreamId } from '../forward/health.ts';
import {
  type ForwarderEvent,
  type ForwarderLimits,
  type ForwarderState,
  startForwarder,
  wakeAt,
} from '../forward/state.ts';
import { answerWaiters, type Waiter } from '../front.ts';
import { Alarm, currentEnv } from './clock.ts';
import { UpstreamSockets } from './upstream-sockets.ts';

/** Runs the forwarder's machine. */
export class ForwardRunner {
  readonly #state: ForwarderState<Waiter>;
  readonly #sockets = new UpstreamSockets((event) => this.event(event));
  readonly #alarm = new Alarm(() => this.event({ kind: 'timer' }));
  readonly #recovered: () => void;

  /** `recovered`: a resolver that had been unreachable answers again. */
  constructor(limits: ForwarderLimits, recovered: () => void) {
    this.#state = startForwarder(limits);
    this.#recovered = recovered;
  }

  get cache(): ForwarderState<Waiter>['cache'] {
    return this.#state.cache;
  }

  event(event: ForwarderEvent<Waiter>): void {
    const { effects } = step(this.#state, event, currentEnv());
    for (const effect of effects) {
      if (effect.kind === 'send') this.#sockets.send(effect);
      else if (effect.kind === 'drop') this.#sockets.drop(effect.attempt);
      else if (effect.kind === 'recovered') this.#recovered();
      else answerWaiters(effect);
    }
    this.#alarm.set(wakeAt(this.#state));
  }

  close(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
    this.#sockets.close();
  }

  describe(): Record<string, unknown> {
    const servers = [...this.#state.healths.values()].map((health) => ({
      server: upstreamId(health.upstream),
      up: health.down === undefined,
      roundTripMilliseconds: health.smoothed && Math.round(health.smoothed * 10) / 10,
      problem: health.problem || undefined,
    }));
    return {
      servers,
      closed: this.#state.closed,
      pending: this.#state.pendings.size,
      cache: { entries: this.cache.size, octets: this.cache.octets },
    };
  }
}
