/**
 * Theory of operation. A home calls its portal and never stops trying. There is one machine per peer, so that a portal
 * that cannot be reached never delays another:
 *
 *     waiting --time--> calling --ikeEstablished--> up --ikeClosed--> waiting
 *        ^                 |
 *        +---- failed -----+   next address, back-off; redirected: still calling, but elsewhere
 *
 * While `calling`, IKE does the retransmissions; `failed` is its last word. The addresses of a peer are tried in turn, and where there are
 * several, one that says nothing at all is not waited for: two seconds in the first round, twice as long in each further one, for a line may
 * be slow. Only after a whole round without success does the pause grow. A pause is jittered so that thousands of boxes do
 * not come back in the same second after a power cut.
 */
import type { Failure } from '../ike/api.ts';
import type { Env } from '../lib/env.ts';

export type HomeState =
  | { readonly name: 'waiting'; readonly until: number; readonly attempt: number; readonly last: LastFailure | null }
  | {
      readonly name: 'calling';
      readonly since: number;
      /** When the address is given up if it has said nothing; infinite where there is no other. */
      readonly until: number;
      readonly attempt: number;
      readonly last: LastFailure | null;
    }
  | { readonly name: 'up'; readonly since: number };

export interface LastFailure {
  readonly failure: Failure;
  readonly detail: string;
  readonly at: number;
}

export type HomeEvent =
  | { readonly kind: 'wake' }
  /** The address that is being called has answered something: from now on IKE has the last word. */
  | { readonly kind: 'heard' }
  | { readonly kind: 'established' }
  /** The peer has sent us to another gateway, which is called now. */
  | { readonly kind: 'redirected' }
  /** The call failed, or the SA ended. */
  | { readonly kind: 'lost'; readonly failure: Failure; readonly detail: string };

/** `addressIndex` counts through the peer's addresses. */
export interface HomeEffect {
  readonly kind: 'call';
  readonly addressIndex: number;
}

const firstPatienceMs = 2000;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** The other side has answered and said no: asking every second would only fill its log. */
const refusedPauseMs = 10_000;
/** Except at first: after a change of both ends the other one may be a moment behind (a new address range, a new key). */
const momentMs = 500;
const moments = 2;

/** The other side was reached, and has said no. */
export const refusals: ReadonlySet<Failure> = new Set<Failure>([
  'authenticationFailed',
  'peerAuthenticationFailed',
  'peerIdentityMismatch',
  'noProposalChosen',
  'noChildSa',
  'peerRefused',
]);

export function startHome(now: number): HomeState {
  return { name: 'waiting', until: now, attempt: 0, last: null };
}

export function wakeAt(state: HomeState): number {
  return state.name === 'up' ? Number.POSITIVE_INFINITY : state.until;
}

export function step(
  state: HomeState,
  event: HomeEvent,
  addressCount: number,
  env: Env,
): { state: HomeState; effects: readonly HomeEffect[] } {
  switch (event.kind) {
    case 'heard':
      return { state: state.name === 'calling' ? { ...state, until: Number.POSITIVE_INFINITY } : state, effects: [] };
    case 'established':
      return { state: { name: 'up', since: env.now }, effects: [] };
    case 'redirected': {
      const { attempt, last } = state.name === 'up' ? { attempt: 1, last: null } : state;
      return {
        state: { name: 'calling', since: env.now, until: Number.POSITIVE_INFINITY, attempt, last },
        effects: [],
      };
    }
    case 'lost': {
      const attempt = state.name === 'up' ? 0 : state.attempt;
      const last = { failure: event.failure, detail: event.detail, at: env.now };
      const until = env.now + pauseMs(attempt, addressCount, event.failure, env);
      return { state: { name: 'waiting', until, attempt, last }, effects: [] };
    }
    case 'wake': {
      if (state.name !== 'waiting' || env.now < state.until) return { state, effects: [] };
      const { attempt, last } = state;
      const until = env.now + patienceMs(attempt, addressCount);
      return {
        state: { name: 'calling', since: env.now, until, attempt: attempt + 1, last },
        effects: [{ kind: 'call', addressIndex: attempt % addressCount }],
      };
    }
  }
}

function patienceMs(attempt: number, addressCount: number): number {
  return addressCount === 1 ? Number.POSITIVE_INFINITY : doubled(firstPatienceMs, Math.floor(attempt / addressCount));
}

/** Milliseconds until the next call; `attempt` calls have failed in a row. */
function pauseMs(attempt: number, addressCount: number, failure: Failure, env: Env): number {
  const untriedLeft = attempt % addressCount !== 0;
  if (untriedLeft) return 0;
  const rounds = Math.floor(attempt / addressCount);
  const pause = refusals.has(failure) ? refusedPause(rounds) : doubled(firstPauseMs, rounds);
  const [jitter = 0] = env.random(1);
  return pause * (0.75 + jitter / 512);
}

function refusedPause(rounds: number): number {
  if (rounds > 0 && rounds <= moments) return momentMs * rounds;
  return doubled(refusedPauseMs, Math.max(0, rounds - moments));
}

function doubled(pause: number, times: number): number {
  return Math.min(longestPauseMs, pause * 2 ** Math.min(times, 10));
}
