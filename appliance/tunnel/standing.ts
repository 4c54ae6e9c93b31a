import type { Failure } from '../ike/api.ts';
import type { FailureFacts } from './sentences.ts';
import type { PeerFacts } from './status.ts';

/** How it stands with each peer: since when it is up, or what was wrong the last time. */
export class Standing {
  readonly #failures = new Map<string, NonNullable<PeerFacts['failure']>>();
  /** On the clock of `Env.now`. */
  readonly #upSince = new Map<string, number>();

  up(peer: string, now: number): void {
    this.#failures.delete(peer);
    if (!this.#upSince.has(peer)) this.#upSince.set(peer, now);
  }

  /** Peers with a tunnel. */
  get count(): number {
    return this.#upSince.size;
  }

  down(peer: string): void {
    this.#upSince.delete(peer);
  }

  /** A peer that is not configured any more. */
  forget(peer: string): void {
    this.#upSince.delete(peer);
    this.#failures.delete(peer);
  }

  failed(failure: Failure, facts: FailureFacts): void {
    this.#failures.set(facts.peer, { failure, facts });
  }

  of(peer: string): Pick<PeerFacts, 'failure' | 'upSince'> {
    return { failure: this.#failures.get(peer) ?? null, upSince: this.#upSince.get(peer) ?? null };
  }
}
