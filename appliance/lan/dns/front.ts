import type { AnswerCache } from './forward/cache.ts';
import { staleTtlSeconds } from './forward/forwarder.ts';
import type { AnswerEffect, Route } from './forward/state.ts';
import { decide, type Tables } from './resolve.ts';
import { badVersion, type Compiled, compile, finishAnswer, headerError, type Serving } from './wire/compiled.ts';
import { decodeMessage, opcodeOf, type Rr } from './wire/message.ts';
import { Class, messageOctets, Opcode, Rcode, Type, udpOctets } from './wire/numbers.ts';
import { parseQuery, type Query, udpLimit } from './wire/query.ts';
import { type Origin, ReadyAnswers } from './wire/ready.ts';

/** Somebody who waits for an answer from outside. `reply` sends it; over UDP within `limit` octets. */
export interface Waiter {
  readonly query: Query;
  readonly limit: number;
  readonly prefix: readonly Rr[];
  readonly reply: (answer: Buffer) => void;
}

/** What becomes of a message from the LAN: an answer now, a question to others, a NOTIFY, or nothing. */
export type Outcome =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | {
      readonly kind: 'forward';
      readonly key: string;
      readonly route: Route;
      readonly query: Query;
      readonly prefix: readonly Rr[];
      readonly limit: number;
    }
  | { readonly kind: 'notify' }
  | { readonly kind: 'drop' };

export interface Counters {
  queries: number;
  /** Answered without a thought: the very same question was answered before. */
  ready: number;
  cached: number;
  own: number;
  forwarded: number;
  malformed: number;
  strangers: number;
  tooMuch: number;
}

const drop: Outcome = { kind: 'drop' };

/** `limit`: octets of the answer; `now` in milliseconds. */
interface How {
  readonly limit: number;
  readonly tcp: boolean;
  readonly now: number;
}

/**
 * The way of every question: compare it with those whose answers are ready; else read it, look into the cache, and only
 * then decide. Does no I/O;
 * `now` in milliseconds.
 */
export class Front {
  readonly counters: Counters = {
    queries: 0,
    ready: 0,
    cached: 0,
    own: 0,
    forwarded: 0,
    malformed: 0,
    strangers: 0,
    tooMuch: 0,
  };
  readonly #ready = new ReadyAnswers();
  readonly #cache: AnswerCache;
  #tables: Tables;

  constructor(cache: AnswerCache, tables: Tables) {
    this.#cache = cache;
    this.#tables = tables;
  }

  /** New zones or routes: everything that was compiled from the old ones is void. */
  replaceTables(tables: Tables): void {
    this.#tables = tables;
    this.#ready.clear();
  }

  /**
   * The quick way of a datagram, the first `end` octets of `bytes`: its answer, if the same question was answered before,
   * is written to `out`. @returns its length; 0: it has to be handled.
   */
  ready(bytes: Uint8Array, end: number, out: Buffer, now: number): number {
    const length = this.#ready.answer(bytes, end, out, now);
    if (length === 0) return 0;
    this.counters.queries += 1;
    this.counters.ready += 1;
    return length;
  }

  handle(bytes: Buffer, tcp: boolean, now: number): Outcome {
    const query = parseQuery(bytes);
    if (typeof query !== 'string') return this.#query(query, tcp, now);
    if (query === 'other') return this.#other(bytes);
    this.counters.malformed += 1;
    return query === 'drop' ? drop : { kind: 'answer', bytes: headerError(bytes, Rcode.FORMERR) };
  }

  #other(bytes: Buffer): Outcome {
    const opcode = opcodeOf(bytes.readUInt16BE(2));
    if (opcode === Opcode.NOTIFY) return { kind: 'notify' };
    this.counters.malformed += 1;
    return { kind: 'answer', bytes: headerError(bytes, opcode === Opcode.QUERY ? Rcode.FORMERR : Rcode.NOTIMP) };
  }

  #query(query: Query, tcp: boolean, now: number): Outcome {
    this.counters.queries += 1;
    if (query.edns && query.edns.version !== 0) return { kind: 'answer', bytes: badVersion(query) };
    const how = { limit: tcp ? messageOctets : limitOf(query), tcp, now };
    const cached = query.class === Class.IN ? this.#cached(query.key, now) : undefined;
    if (cached) return this.#answer(query, cached, how);
    const refusal = refused(query);
    if (refusal !== undefined) return { kind: 'answer', bytes: headerError(query.bytes, refusal) };
    return this.#decide(query, how);
  }

  #cached(key: string, now: number): Origin | undefined {
    const entry = this.#cache.get(key);
    if (!entry || now >= entry.expiresAt) return undefined;
    this.counters.cached += 1;
    return entry;
  }

  /** What goes out as a datagram is kept for whoever asks the same again. */
  #answer(query: Query, origin: Origin, { limit, tcp, now }: How): Outcome {
    const ageSeconds = origin.expiresAt === Number.POSITIVE_INFINITY ? 0 : age(origin.storedAt, now);
    const bytes = finishAnswer(origin.compiled, query, { limit, ageSeconds });
    if (!tcp) this.#ready.put(query.bytes, bytes, origin, ageSeconds);
    return { kind: 'answer', bytes };
  }

  #decide(query: Query, how: How): Outcome {
    const { limit, now } = how;
    const decision = decide(query.key, this.#tables);
    if (decision.kind === 'answer') {
      this.counters.own += 1;
      const own = { compiled: decision.compiled, storedAt: now, expiresAt: Number.POSITIVE_INFINITY, used: true };
      return this.#answer(query, own, how);
    }
    const { key, route, prefix } = decision;
    const entry = this.#cached(key, now);
    if (entry) {
      const serving = { limit, ageSeconds: age(entry.storedAt, now) };
      return { kind: 'answer', bytes: finishAnswer(joined(query, prefix, entry.compiled), query, serving) };
    }
    this.counters.forwarded += 1;
    return { kind: 'forward', key, route, query, prefix, limit };
  }
}

/** Transfers and other meta questions are not for clients; nor are other classes. */
function refused(query: Query): number | undefined {
  if (query.class !== Class.IN) return Rcode.REFUSED;
  if (query.type === Type.AXFR || query.type === Type.IXFR) return Rcode.REFUSED;
  return query.type === Type.OPT || query.type === Type.TSIG || query.type === 0 ? Rcode.FORMERR : undefined;
}

/** ANY over UDP is what amplifiers are made of: what is larger than a plain answer has to come over TCP. */
function limitOf(query: Query): number {
  return query.type === Type.ANY ? udpOctets.plain : udpLimit(query);
}

function age(storedAt: number, now: number): number {
  return Math.floor((now - storedAt) / 1000);
}

/** The answer to the end of a chain, behind the aliases of ours that lead there. */
function joined(query: Query, prefix: readonly Rr[], compiled: Compiled): Compiled {
  if (prefix.length === 0) return compiled;
  const message = decodeMessage(compiled.bytes);
  const { authorities, additionals } = message;
  const answers = [...prefix, ...message.answers];
  return compile(query.key, { rcode: compiled.rcode, flags: 0, answers, authorities, additionals, ede: compiled.ede });
}

/** Performs an `answer` of the forwarder. */
export function answerWaiters(effect: AnswerEffect<Waiter>): void {
  const { compiled, stale, ede } = effect;
  for (const { query, prefix, limit, reply } of effect.waiters) {
    const serving: Serving = { limit, ageSeconds: 0, ede, ...(stale && { ttlCap: staleTtlSeconds }) };
    reply(finishAnswer(joined(query, prefix, compiled), query, serving));
  }
}
