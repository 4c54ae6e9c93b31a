import type { Config } from '../config/schema.ts';
import type { Failure } from '../ike/api.ts';
import type { Env } from '../lib/env.ts';
import { type HomeEvent, type HomeState, startHome, step, wakeAt } from './home.ts';

interface Call {
  readonly addresses: readonly string[];
  readonly state: HomeState;
  /** The address called last. */
  readonly address: string | null;
}

/** The calling machines of all peers of a home; a portal has none, as it calls nobody. */
export class Calls {
  readonly #calls = new Map<string, Call>();

  constructor(config: Config) {
    this.configure(config);
  }

  /** Peers that stay keep their state; new ones are due at once. */
  configure(config: Config): void {
    const peers = new Map(config.role === 'home' ? config.peers.map((peer) => [peer.name, peer]) : []);
    for (const name of this.#calls.keys()) if (!peers.has(name)) this.#calls.delete(name);
    for (const [name, { addresses }] of peers) {
      const { state, address } = this.#calls.get(name) ?? { state: startHome(0), address: null };
      this.#calls.set(name, { addresses, state, address });
    }
  }

  /** What a call under way, or a pause after a failure, was about is no more: the peer is due at once. One that is up stays so. */
  restart(peer: string): void {
    if (this.state(peer)?.name !== 'up') this.#calls.delete(peer);
  }

  state(peer: string): HomeState | null {
    return this.#calls.get(peer)?.state ?? null;
  }

  address(peer: string): string | null {
    return this.#calls.get(peer)?.address ?? null;
  }

  wakeAt(): number {
    return Math.min(...[...this.#calls.values()].map(({ state }) => wakeAt(state)));
  }

  /** Whom to call now. */
  due(env: Env): { peer: string; address: string }[] {
    return [...this.#calls.keys()].flatMap((peer) => {
      const address = this.#step(peer, { kind: 'wake' }, env);
      return address === null ? [] : [{ peer, address }];
    });
  }

  /** Who has several addresses and has not been heard at the one that is being called, for as long as that is waited for. */
  overdue(now: number): string[] {
    return [...this.#calls].flatMap(([peer, { state }]) =>
      state.name === 'calling' && state.until <= now ? peer : [],
    );
  }

  heard(peer: string, env: Env): void {
    this.#step(peer, { kind: 'heard' }, env);
  }

  established(peer: string, env: Env): void {
    this.#step(peer, { kind: 'established' }, env);
  }

  /** The peer is called at `address`, because its gateway said so; if that fails, its own addresses have their turn again. */
  redirected(peer: string, address: string, env: Env): void {
    this.#step(peer, { kind: 'redirected' }, env);
    const call = this.#calls.get(peer);
    if (call) this.#calls.set(peer, { ...call, address });
  }

  lost(peer: string, failure: Failure, detail: string, env: Env): void {
    this.#step(peer, { kind: 'lost', failure, detail }, env);
  }

  /** The address to call, if the step came to that. */
  #step(peer: string, event: HomeEvent, env: Env): string | null {
    const call = this.#calls.get(peer);
    if (!call) return null;
    const { state, effects } = step(call.state, event, call.addresses.length, env);
    const [effect] = effects;
    const address = effect === undefined ? call.address : (call.addresses[effect.addressIndex] ?? null);
    this.#calls.set(peer, { ...call, state, address });
    return effect === undefined ? null : address;
  }
}
