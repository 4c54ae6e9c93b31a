import type { Compiled } from './compiled.ts';
import { headerOctets, udpOctets } from './numbers.ts';
import { lowered, nameEndOf } from './query.ts';

/** Where an answer comes from, and how long it holds. `storedAt` and `expiresAt` in milliseconds. */
export interface Origin {
  readonly compiled: Compiled;
  readonly storedAt: number;
  readonly expiresAt: number;
  /** Set when somebody asks: the cache throws out first what nobody asks for. */
  used: boolean;
}

/** A question (its id counts for nothing), its name in lower case, and the datagram that answers it. */
interface Ready {
  readonly question: Uint8Array;
  readonly nameLength: number;
  /** With id 0 and the name in lower case; times to live as they were `ageSeconds` after `origin.storedAt`. */
  readonly answer: Buffer;
  readonly ttlOffsets: readonly number[];
  ageSeconds: number;
  readonly origin: Origin;
}

/** Four places for each set of hashes: of 3000 questions in turn, more than a house ever has, 3 in 100 find theirs taken. */
const [ways, sets] = [4, 2048] as const;
export const limitOctets = 3 * 1024 * 1024;
/** Behind the name: type, class, and an OPT record without options. What is longer (cookies) no two askers share. */
const tailOctets = 4 + 11;
/** What an entry costs besides its octets; measured on Node 24, rounded up. */
const entryOverhead = 600;

/** What holds until everything is forgotten need not be remembered more closely. */
const eternal: Origin = {
  compiled: { bytes: Buffer.alloc(0), ttlOffsets: [], rcode: 0 },
  storedAt: 0,
  expiresAt: Number.POSITIVE_INFINITY,
  used: true,
};

/**
 * Datagrams that answer the very same question again, but for id and spelling: nothing is read of a question that is
 * known, only compared. Answers are copies of those in the caches behind and may be forgotten at any time.
 */
export class ReadyAnswers {
  readonly #places: (Ready | undefined)[] = new Array<Ready | undefined>(ways * sets).fill(undefined);
  readonly #hashes = new Int32Array(ways * sets);
  #octets = 0;
  /** Where room is made next: by place, which is to say at random. */
  #hand = 0;
  #turn = 0;

  /** What is kept takes so much. */
  get octets(): number {
    return this.#octets;
  }

  clear(): void {
    this.#places.fill(undefined);
    this.#octets = 0;
  }

  /**
   * Writes the answer to the question in the first `end` octets of `bytes` to `out`, where a plain EDNS answer has room.
   * @returns its length; 0 when there is none. `now` in milliseconds.
   */
  answer(bytes: Uint8Array, end: number, out: Buffer, now: number): number {
    const nameEnd = nameEndOf(bytes, headerOctets, end);
    if (nameEnd < 0) return 0;
    const place = this.#find(hashOf(bytes, end, nameEnd), bytes, end, nameEnd);
    const ready = place < 0 ? undefined : this.#places[place];
    if (!ready || now >= ready.origin.expiresAt) return 0;
    const age = Math.floor((now - ready.origin.storedAt) / 1000);
    if (age !== ready.ageSeconds && ready.ttlOffsets.length > 0) grow(ready, age);
    ready.origin.used = true;
    ready.answer.copy(out);
    out[0] = bytes[0] ?? 0;
    out[1] = bytes[1] ?? 0;
    // The client's own spelling of the name goes back (0x20 clients check it).
    for (let i = headerOctets; i < nameEnd; i += 1) out[i] = bytes[i] ?? 0;
    return ready.answer.length;
  }

  /** `answer`: what was just said to `question`, a whole datagram, `ageSeconds` after `origin.storedAt`. */
  put(question: Buffer, answer: Buffer, origin: Origin, ageSeconds: number): void {
    const nameEnd = nameEndOf(question, headerOctets, question.length);
    if (nameEnd < 0 || question.length > nameEnd + tailOctets || answer.length > udpOctets.edns) return;
    const kept = Number.isFinite(origin.expiresAt) ? origin : eternal;
    const whole = ((answer[2] ?? 0) & 0x02) === 0; // TC
    const ready: Ready = {
      question: questionOf(question, nameEnd),
      nameLength: nameEnd - headerOctets,
      answer: Buffer.from(answer),
      ttlOffsets: whole ? kept.compiled.ttlOffsets : [],
      ageSeconds,
      origin: kept,
    };
    const hash = hashOf(question, question.length, nameEnd);
    const found = this.#find(hash, question, question.length, nameEnd);
    const place = found < 0 ? this.#freePlace(hash) : found;
    this.#octets += costOf(ready) - costOf(this.#places[place]);
    this.#places[place] = ready;
    this.#hashes[place] = hash;
    while (this.#octets > limitOctets) this.#makeRoom();
  }

  /** An empty place for the hash, or any of its places: questions in turn would push out each other if it were the oldest. */
  #freePlace(hash: number): number {
    const first = firstPlace(hash);
    for (let place = first; place < first + ways; place += 1) if (!this.#places[place]) return place;
    this.#turn = (this.#turn + 1) % ways;
    return first + this.#turn;
  }

  #makeRoom(): void {
    this.#hand = (this.#hand + 1) % this.#places.length;
    this.#octets -= costOf(this.#places[this.#hand]);
    this.#places[this.#hand] = undefined;
  }

  /** Where the answer to a question is, -1: nowhere. */
  #find(hash: number, bytes: Uint8Array, end: number, nameEnd: number): number {
    const first = firstPlace(hash);
    for (let place = first; place < first + ways; place += 1) {
      const ready = this.#places[place];
      if (ready && this.#hashes[place] === hash && matches(ready, bytes, end, nameEnd)) return place;
    }
    return -1;
  }
}

function matches({ question, nameLength }: Ready, bytes: Uint8Array, end: number, nameEnd: number): boolean {
  if (question.length !== end || nameLength !== nameEnd - headerOctets) return false;
  for (let i = 2; i < headerOctets; i += 1) if (bytes[i] !== question[i]) return false;
  for (let i = headerOctets; i < nameEnd; i += 1) if (lowered[bytes[i] ?? 0] !== question[i]) return false;
  for (let i = nameEnd; i < end; i += 1) if (bytes[i] !== question[i]) return false;
  return true;
}

/** FNV-1a over name and tail. Somebody who makes names collide makes his own answers slow, nobody's wrong. */
function hashOf(bytes: Uint8Array, end: number, nameEnd: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = headerOctets; i < nameEnd; i += 1) {
    hash = Math.imul(hash ^ (lowered[bytes[i] ?? 0] ?? 0), 0x01000193);
  }
  for (let i = nameEnd; i < end; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash;
}

function firstPlace(hash: number): number {
  return ((hash ^ (hash >>> 15)) & (sets - 1)) * ways;
}

function questionOf(question: Buffer, nameEnd: number): Uint8Array {
  const octets = Uint8Array.from(question);
  for (let i = headerOctets; i < nameEnd; i += 1) octets[i] = lowered[octets[i] ?? 0] ?? 0;
  return octets;
}

function grow(ready: Ready, ageSeconds: number): void {
  const { answer, ttlOffsets, origin } = ready;
  for (const at of ttlOffsets) {
    answer.writeUInt32BE(Math.max(0, origin.compiled.bytes.readUInt32BE(at) - ageSeconds), at);
  }
  ready.ageSeconds = ageSeconds;
}

function costOf(ready: Ready | undefined): number {
  return ready ? entryOverhead + ready.question.length + ready.answer.length : 0;
}
