import { AnswerCache } from './forward/cache.ts';
import { staleTtlSeconds } from './forward/forwarder.ts';
import type { AnswerEffect, Route } from './forward/state.ts';
import { decide, type Tables } from './resolve.ts';
import { badVersion, type Compiled, compile, finishAnswer, headerError, type Serving } from './wire/compiled.ts';
import { decodeMessage, opcodeOf, type Rr } from './wire/message.ts';
import { Class, messageOctets, Opcode, Rcode, Type, udpOctets } from './wire/numbers.ts';
import { parseQuery, type Query, udpLimit } from './wire/query.ts';

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
  cached: number;
  own: number;
  forwarded: number;
  malformed: number;
  strangers: number;
  tooMuch: number;
}

/** Answers of our own zones, compiled: a fixed share, since they can be made again at any time. */
const ownOctets = 2 * 1024 * 1024;

const drop: Outcome = { kind: 'drop' };

/**
 * The way of every question: read it, look into the two stores of ready answers, and only then decide. Does no I/O;
 * `now` in milliseconds.
 */
export class Front {
  readonly counters: Counters = { queries: 0, cached: 0, own: 0, forwarded: 0, malformed: 0, strangers: 0, tooMuch: 0 };
  readonly #own = new AnswerCache(ownOctets);
  readonly #cache: AnswerCache;
  #tables: Tables;

  constructor(cache: AnswerCache, tables: Tables) {
    this.#cache = cache;
    this.#tables = tables;
  }

  /** New zones or routes: everything that was compiled from the old ones is void. */
  replaceTables(tables: Tables): void {
    this.#tables = tables;
    this.#own.clear();
  }

  handle(bytes: Buffer, tcp: boolean, now: number): Outcome {
    const query = parseQuery(bytes);
    if (typeof query !== 'string') return this.#query(query, tcp ? messageOctets : limitOf(query), now);
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

  #query(query: Query, limit: number, now: number): Outcome {
    this.counters.queries += 1;
    if (query.edns && query.edns.version !== 0) return { kind: 'answer', bytes: badVersion(query) };
    const ready = this.#ready(query, limit, now);
    if (ready) return { kind: 'answer', bytes: ready };
    const refusal = refused(query);
    if (refusal !== undefined) return { kind: 'answer', bytes: headerError(query.bytes, refusal) };
    return this.#decide(query, limit, now);
  }

  #ready(query: Query, limit: number, now: number): Buffer | undefined {
    if (query.class !== Class.IN) return undefined;
    const own = this.#own.get(query.key);
    if (own) {
      this.counters.own += 1;
      return finishAnswer(own.compiled, query, { limit, ageSeconds: 0 });
    }
    return this.#cached(query.key, query, { limit, now });
  }

  #cached(key: string, query: Query, at: { limit: number; now: number }): Buffer | undefined {
    const entry = this.#cache.get(key);
    if (!entry || at.now >= entry.expiresAt) return undefined;
    this.counters.cached += 1;
    return finishAnswer(entry.compiled, query, { limit: at.limit, ageSeconds: age(entry.storedAt, at.now) });
  }

  #decide(query: Query, limit: number, now: number): Outcome {
    const decision = decide(query.key, this.#tables);
    if (decision.kind === 'answer') {
      this.counters.own += 1;
      this.#own.set(query.key, { compiled: decision.compiled, storedAt: now, expiresAt: Number.POSITIVE_INFINITY });
      return { kind: 'answer', bytes: finishAnswer(decision.compiled, query, { limit, ageSeconds: 0 }) };
    }
    const { key, route, prefix } = decision;
    const entry = this.#cache.get(key);
    if (entry && now < entry.expiresAt) {
      this.counters.cached += 1;
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
