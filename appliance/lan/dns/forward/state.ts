import type { Compiled } from '../wire/compiled.ts';
import type { Name } from '../wire/name.ts';
import type { Ede } from '../wire/numbers.ts';
import { AnswerCache } from './cache.ts';
import { checkAt, type Health, type Upstream } from './health.ts';
import type { UpstreamQuestion } from './upstream.ts';

export type Way = 'wan' | 'tunnel';

/** Where questions for a domain and all below it go. */
export interface Route {
  readonly domain: Name;
  readonly servers: readonly Upstream[];
  readonly via: Way;
}

export interface ForwarderLimits {
  readonly cacheOctets: number;
  /** How long after its end an answer may still be given when nothing better comes; 0 = never. */
  readonly staleSeconds: number;
  /** Questions under way, and askers that wait for one of them. */
  readonly pending: number;
  readonly waiters: number;
}

/** One question under way, whoever asked. Times in milliseconds. */
export interface Pending<W> {
  readonly key: string;
  readonly route: Route;
  waiters: W[];
  readonly attempts: Set<number>;
  readonly tried: Map<string, number>;
  failure: Compiled | undefined;
  nextTryAt: number;
  readonly staleAt: number;
  readonly endAt: number;
}

/** One message on its way to one server. */
export interface Attempt<W> {
  readonly health: Health;
  /** `undefined`: a probe. */
  readonly pending: Pending<W> | undefined;
  readonly question: UpstreamQuestion;
  readonly tcp: boolean;
  readonly sentAt: number;
  readonly endAt: number;
  late: boolean;
}

export interface ForwarderState<W> {
  readonly limits: ForwarderLimits;
  readonly cache: AnswerCache;
  readonly healths: Map<string, Health>;
  readonly pendings: Map<string, Pending<W>>;
  readonly attempts: Map<number, Attempt<W>>;
  /** Why a way is closed, in one sentence. */
  readonly closed: Partial<Record<Way, string>>;
  lastAttempt: number;
  /** When anybody last asked anything that was not in the cache. */
  lastAskAt: number;
}

export type ForwarderEvent<W> =
  | { readonly kind: 'ask'; readonly key: string; readonly route: Route; readonly waiter: W }
  | { readonly kind: 'reply'; readonly attempt: number; readonly bytes: Buffer }
  | { readonly kind: 'error'; readonly attempt: number; readonly problem: string }
  | { readonly kind: 'way'; readonly way: Way; readonly closed: string | undefined }
  | { readonly kind: 'timer' };

export interface SendEffect {
  readonly kind: 'send';
  readonly attempt: number;
  readonly upstream: Upstream;
  readonly bytes: Buffer;
  readonly tcp: boolean;
}

/** `stale`: time to live and extended error say that it is (RFC 8767 4). */
export interface AnswerEffect<W> {
  readonly kind: 'answer';
  readonly waiters: readonly W[];
  readonly key: string;
  readonly compiled: Compiled;
  readonly stale: boolean;
  readonly ede?: Ede;
}

export type ForwarderEffect<W> =
  | SendEffect
  | AnswerEffect<W>
  | { readonly kind: 'drop'; readonly attempt: number }
  /** A server that was taken for unreachable has answered: others may be reachable again too. */
  | { readonly kind: 'recovered' };

export function startForwarder<W>(limits: ForwarderLimits): ForwarderState<W> {
  return {
    limits,
    cache: new AnswerCache(limits.cacheOctets),
    healths: new Map(),
    pendings: new Map(),
    attempts: new Map(),
    closed: {},
    lastAttempt: 0,
    lastAskAt: Number.NEGATIVE_INFINITY,
  };
}

export function wakeAt<W>(state: ForwarderState<W>): number {
  let at = Number.POSITIVE_INFINITY;
  for (const pending of state.pendings.values()) at = Math.min(at, pending.nextTryAt, pending.endAt);
  for (const attempt of state.attempts.values()) at = Math.min(at, attempt.endAt);
  for (const health of state.healths.values()) {
    if (!health.probing) at = Math.min(at, checkAt(health, state.lastAskAt));
  }
  return at;
}
