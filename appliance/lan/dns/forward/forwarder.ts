import type { Env } from '../../../lib/env.ts';
import { bare, type Compiled } from '../wire/compiled.ts';
import { type Ede, ExtendedError, Rcode, Type } from '../wire/numbers.ts';
import {
  checkAt,
  type Health,
  inOrder,
  newHealth,
  noteAnswer,
  noteDown,
  noteTimeout,
  noteWayOpen,
  timeoutOf,
  type Upstream,
  upstreamId,
} from './health.ts';
import type { Attempt, ForwarderEffect, ForwarderEvent, ForwarderState, Pending, Route, Way } from './state.ts';
import { encodeUpstream, randomCase, readUpstream, ttlLimits, type UpstreamQuestion } from './upstream.ts';

/**
 * Theory of operation. A question that the cache cannot answer becomes one `Pending`, whoever else asks the same waits
 * with it. Attempts go out one after the other, each from a socket (hence port), id and spelling of its own; an
 * attempt that is late stays open while the next server is asked. The first good answer ends them all. SERVFAIL and
 * REFUSED count only when no server does better.
 *
 * Servers that do not answer are `down` and probed with a small question; when all servers of a route are down, or the
 * appliance says that the way is closed, questions fail at once: with a stale answer if there is one (RFC 8767), else
 * SERVFAIL with the reason (RFC 8914).
 *
 * The state is owned by the machine: `step` changes it in place (thousands of questions a second) and returns it.
 * `W` is whatever the caller needs to answer the asker.
 */

/** Milliseconds. 1.8 s and 30 s are those of RFC 8767 5. */
const timing = { question: 4_000, attempt: 5_000, tcp: 4_000, staleAnswer: 1_800, probe: 1_000 } as const;
export const staleTtlSeconds = 30;
const triesPerServer = 3;

export function step<W>(
  state: ForwarderState<W>,
  event: ForwarderEvent<W>,
  env: Env,
): { state: ForwarderState<W>; effects: ForwarderEffect<W>[] } {
  const run = new Run(state, env);
  run.on(event);
  return { state, effects: run.effects };
}

/** One step: the state, the moment, and the effects so far. */
class Run<W> {
  readonly effects: ForwarderEffect<W>[] = [];
  readonly #state: ForwarderState<W>;
  readonly #env: Env;

  constructor(state: ForwarderState<W>, env: Env) {
    this.#state = state;
    this.#env = env;
  }

  on(event: ForwarderEvent<W>): void {
    if (event.kind === 'ask') this.#ask(event);
    else if (event.kind === 'reply') this.#reply(event.attempt, event.bytes);
    else if (event.kind === 'error') this.#error(event.attempt, event.problem);
    else if (event.kind === 'way') this.#way(event.way, event.closed);
    else this.#timer();
  }

  #ask({ key, route, waiter }: { key: string; route: Route; waiter: W }): void {
    const { pendings, limits } = this.#state;
    this.#state.lastAskAt = this.#env.now;
    const under = pendings.get(key);
    if (under && under.waiters.length < limits.waiters) under.waiters.push(waiter);
    else if (under || pendings.size >= limits.pending) {
      this.#refuse([waiter], key, { code: ExtendedError.other, text: 'too many questions under way' });
    } else if (this.#hopeless(route)) this.#failed([waiter], key, this.#reason(route));
    else this.#begin(key, route, waiter);
  }

  #begin(key: string, route: Route, waiter: W): void {
    const { now } = this.#env;
    const pending: Pending<W> = {
      key,
      route,
      waiters: [waiter],
      attempts: new Set(),
      tried: new Map(),
      failure: undefined,
      nextTryAt: now,
      staleAt: now + timing.staleAnswer,
      endAt: now + timing.question,
    };
    this.#state.pendings.set(key, pending);
    this.#tryNext(pending);
  }

  /** The next server that has not had its share. @returns false when all have. */
  #tryNext(pending: Pending<W>): boolean {
    const healths = inOrder(pending.route.servers.map((server) => this.#health(server)));
    const triesOf = (health: Health) => pending.tried.get(upstreamId(health.upstream)) ?? 0;
    const least = Math.min(...healths.map(triesOf));
    const next = healths.find((health) => triesOf(health) === least);
    if (!next || least >= triesPerServer) return false;
    pending.tried.set(upstreamId(next.upstream), least + 1);
    pending.nextTryAt = this.#env.now + timeoutOf(next);
    this.#send(pending, next, { tcp: false, edns: next.edns });
    return true;
  }

  #send(pending: Pending<W>, health: Health, how: { tcp: boolean; edns: boolean }): void {
    const key = pending.key;
    const at = key.length - 3;
    const bits = key.charCodeAt(at + 2);
    const question = {
      id: this.#id(),
      name: randomCase(key.slice(0, at), this.#env.random(at)),
      type: (key.charCodeAt(at) << 8) | key.charCodeAt(at + 1),
      dnssecOk: (bits & 1) !== 0,
      checkingDisabled: (bits & 2) !== 0,
      edns: how.edns,
    };
    pending.attempts.add(this.#open(pending, health, question, how.tcp));
    if (how.tcp) pending.nextTryAt = this.#env.now + timing.tcp;
  }

  #open(pending: Pending<W> | undefined, health: Health, question: UpstreamQuestion, tcp: boolean): number {
    const { now } = this.#env;
    const attempt = ++this.#state.lastAttempt;
    const endAt = now + (pending ? timing.attempt : timing.probe);
    this.#state.attempts.set(attempt, { health, pending, question, tcp, sentAt: now, endAt, late: false });
    this.effects.push({ kind: 'send', attempt, upstream: health.upstream, bytes: encodeUpstream(question), tcp });
    return attempt;
  }

  #id(): number {
    return this.#env.random(2).reduce((sum, octet) => sum * 256 + octet, 0);
  }

  #health(upstream: Upstream): Health {
    const id = upstreamId(upstream);
    const health = this.#state.healths.get(id) ?? newHealth(upstream, this.#env.now);
    this.#state.healths.set(id, health);
    return health;
  }

  #reply(id: number, bytes: Buffer): void {
    const attempt = this.#state.attempts.get(id);
    if (!attempt) return;
    const { health, pending, question, tcp } = attempt;
    const reply = readUpstream(bytes, question, pending?.key ?? probeKey, tcp);
    if (reply.kind === 'ignore') {
      if (tcp) this.#error(id, 'answers something else');
      return;
    }
    if (health.down) this.effects.push({ kind: 'recovered' });
    noteAnswer(health, this.#env.now - attempt.sentAt, this.#env.now);
    this.#close(id);
    if (!pending || !this.#state.pendings.has(pending.key)) return;
    if (reply.kind === 'tcp') this.#send(pending, health, { tcp: true, edns: health.edns });
    else if (reply.kind === 'noEdns') {
      health.edns = false;
      this.#send(pending, health, { tcp, edns: false });
    } else if (reply.kind === 'failure') this.#poor(pending, reply.compiled);
    else this.#finish(pending, reply.compiled, reply.ttlSeconds);
  }

  #error(id: number, problem: string): void {
    const attempt = this.#state.attempts.get(id);
    if (!attempt) return;
    this.#close(id);
    noteDown(attempt.health, problem, this.#env.now);
    if (attempt.pending) this.#poor(attempt.pending, undefined);
    this.#failHopeless();
  }

  /** One server was no help: ask the next at once, or settle for what there is. */
  #poor(pending: Pending<W>, failure: Compiled | undefined): void {
    pending.failure = failure ?? pending.failure;
    if (!this.#state.pendings.has(pending.key)) return;
    const untried = pending.route.servers.some((server) => !pending.tried.has(upstreamId(server)));
    if (untried) this.#tryNext(pending);
    else if (pending.attempts.size === 0) this.#giveUp(pending);
  }

  #giveUp(pending: Pending<W>): void {
    this.#end(pending);
    const stale = this.#stale(pending.key);
    if (!pending.failure || stale) this.#failed(pending.waiters, pending.key, this.#reason(pending.route));
    // RFC 9520 3.2: failures are remembered, but no longer than a house waits for its internet to come back.
    else this.#store(pending, pending.failure, ttlLimits.failure);
  }

  #finish(pending: Pending<W>, compiled: Compiled, ttlSeconds: number): void {
    this.#end(pending);
    this.#store(pending, compiled, ttlSeconds);
  }

  #store({ key, waiters }: Pending<W>, compiled: Compiled, ttlSeconds: number): void {
    const { now } = this.#env;
    if (ttlSeconds > 0) this.#state.cache.set(key, { compiled, storedAt: now, expiresAt: now + ttlSeconds * 1000 });
    this.effects.push({ kind: 'answer', waiters, key, compiled, stale: false });
  }

  #end(pending: Pending<W>): void {
    this.#state.pendings.delete(pending.key);
    for (const attempt of [...pending.attempts]) this.#close(attempt);
  }

  #close(id: number): void {
    const attempt = this.#state.attempts.get(id);
    if (attempt?.pending) attempt.pending.attempts.delete(id);
    else if (attempt) attempt.health.probing = false;
    this.#state.attempts.delete(id);
    this.effects.push({ kind: 'drop', attempt: id });
  }

  #timer(): void {
    const { now } = this.#env;
    for (const [id, attempt] of this.#state.attempts) if (now >= attempt.endAt) this.#expire(id, attempt);
    for (const pending of this.#state.pendings.values()) if (now >= pending.nextTryAt) this.#late(pending);
    this.#failHopeless();
    for (const pending of this.#state.pendings.values()) {
      if (now >= pending.endAt) this.#giveUp(pending);
      else if (now >= pending.staleAt) this.#answerStale(pending);
    }
    this.#probe();
  }

  #expire(id: number, attempt: Attempt<W>): void {
    this.#close(id);
    if (attempt.pending) return;
    if (attempt.health.down) noteDown(attempt.health, attempt.health.problem, this.#env.now);
    else noteTimeout(attempt.health, this.#env.now);
  }

  #late(pending: Pending<W>): void {
    for (const id of pending.attempts) {
      const attempt = this.#state.attempts.get(id);
      if (!attempt || attempt.late) continue;
      attempt.late = true;
      noteTimeout(attempt.health, this.#env.now);
    }
    if (!this.#tryNext(pending)) pending.nextTryAt = pending.staleAt > this.#env.now ? pending.staleAt : pending.endAt;
  }

  #answerStale(pending: Pending<W>): void {
    if (pending.waiters.length === 0 || !this.#stale(pending.key)) return;
    this.#failed(pending.waiters, pending.key, this.#reason(pending.route));
    pending.waiters = [];
  }

  #way(way: Way, closed: string | undefined): void {
    const { closed: ways, healths } = this.#state;
    if (closed !== undefined) ways[way] = closed;
    else if (ways[way] !== undefined) {
      delete ways[way];
      for (const health of healths.values()) noteWayOpen(health);
    }
    this.#failHopeless();
  }

  #hopeless(route: Route): boolean {
    if (this.#state.closed[route.via] !== undefined) return true;
    return route.servers.every((server) => this.#health(server).down !== undefined);
  }

  #failHopeless(): void {
    for (const pending of this.#state.pendings.values()) {
      if (!this.#hopeless(pending.route)) continue;
      this.#end(pending);
      this.#failed(pending.waiters, pending.key, this.#reason(pending.route));
    }
  }

  #reason(route: Route): Ede {
    const closed = this.#state.closed[route.via];
    if (closed !== undefined) return { code: ExtendedError.networkError, text: closed };
    const way = route.via === 'tunnel' ? 'through the tunnel' : 'on the internet';
    const troubles = route.servers.map(
      (server) => `${server.address} ${this.#health(server).problem || 'does not answer'}`,
    );
    return { code: ExtendedError.noReachableAuthority, text: `no resolver ${way} answers: ${troubles.join(', ')}` };
  }

  #stale(key: string): Compiled | undefined {
    const entry = this.#state.cache.get(key);
    const end = (entry?.expiresAt ?? 0) + this.#state.limits.staleSeconds * 1000;
    return entry && this.#env.now < end && entry.compiled.rcode !== Rcode.SERVFAIL ? entry.compiled : undefined;
  }

  #failed(waiters: readonly W[], key: string, ede: Ede): void {
    if (waiters.length === 0) return;
    const compiled = this.#stale(key);
    const stale = { code: ExtendedError.staleAnswer, text: ede.text };
    if (compiled) this.effects.push({ kind: 'answer', waiters, key, compiled, stale: true, ede: stale });
    else this.#refuse(waiters, key, ede);
  }

  #refuse(waiters: readonly W[], key: string, ede: Ede): void {
    this.effects.push({ kind: 'answer', waiters, key, compiled: bare(key, Rcode.SERVFAIL, ede), stale: false, ede });
  }

  /** A question with a small answer to each server that is due, so that its end and its return are seen without traffic. */
  #probe(): void {
    const { now } = this.#env;
    for (const health of this.#state.healths.values()) {
      if (health.probing || now < checkAt(health, this.#state.lastAskAt)) continue;
      health.probing = true;
      health.checkedAt = now;
      const question = {
        id: this.#id(),
        name: '\0',
        type: Type.NS,
        dnssecOk: false,
        checkingDisabled: false,
        edns: false,
      };
      this.#open(undefined, health, question, false);
    }
  }
}

const probeKey = '\0\0\x02\0';
