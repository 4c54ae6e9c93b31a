import type { Rr } from './message.ts';
import { type Ede, Flag, headerOctets, Rcode, udpOctets } from './numbers.ts';
import type { Query } from './query.ts';
import { MessageWriter, optRecord } from './writer.ts';

/**
 * An answer that is ready to send but for the asker's id, spelling, flags and EDNS. What it holds is never changed.
 */
export interface Compiled {
  /** Header, question in lower case, records; without OPT. */
  readonly bytes: Buffer;
  /** Offsets of times to live; only those of cached answers count down. */
  readonly ttlOffsets: readonly number[];
  readonly rcode: number;
  readonly ede?: Ede | undefined;
}

/** What an answer says, before it is written. `flags`: AA and AD where they apply. */
export interface AnswerParts {
  readonly rcode: number;
  readonly flags: number;
  readonly answers: readonly Rr[];
  readonly authorities: readonly Rr[];
  readonly additionals: readonly Rr[];
  readonly ede?: Ede | undefined;
}

/** Writes `parts` as the answer to the (lower-case) question of `key`. Records beyond 64 KB set TC. */
export function compile(key: string, parts: AnswerParts): Compiled {
  const nameLength = key.length - 3;
  const type = (key.charCodeAt(nameLength) << 8) | key.charCodeAt(nameLength + 1);
  const writer = new MessageWriter(0, Flag.QR | parts.flags | (parts.rcode & 15));
  writer.question(key.slice(0, nameLength), type, 1);
  const fits =
    parts.answers.every((rr) => writer.record(1, rr)) &&
    parts.authorities.every((rr) => writer.record(2, rr)) &&
    parts.additionals.every((rr) => writer.record(3, rr));
  const bytes = writer.finish();
  if (!fits) bytes.writeUInt16BE(bytes.readUInt16BE(2) | Flag.TC, 2);
  return { bytes, ttlOffsets: writer.ttlOffsets, rcode: parts.rcode, ede: parts.ede };
}

/** How a compiled answer goes out: `ageSeconds` is taken off every time to live; `ttlCap` bounds them (stale answers). */
export interface Serving {
  readonly limit: number;
  readonly ageSeconds: number;
  readonly ttlCap?: number;
  readonly ede?: Ede | undefined;
}

/** Bits that an answer repeats from its question: RD and CD (RFC 1035 4.1.1, RFC 4035 3.2.2). */
const repeated = Flag.RD | Flag.CD;

/** The datagram or message for one asker: cut to header and question with TC when it is over the limit. */
export function finishAnswer(compiled: Compiled, query: Query, serving: Serving): Buffer {
  const opt = query.edns && optFor(query, compiled, serving);
  const optLength = opt?.length ?? 0;
  const whole = compiled.bytes.length + optLength <= serving.limit;
  const bodyLength = whole ? compiled.bytes.length : headerOctets + query.nameLength + 4;
  const out = Buffer.allocUnsafe(bodyLength + optLength);
  compiled.bytes.copy(out, 0, 0, bodyLength);
  // The client's own spelling of the name goes back (0x20 clients check it).
  query.bytes.copy(out, headerOctets, headerOctets, headerOctets + query.nameLength);
  out.writeUInt16BE(query.id, 0);
  out.writeUInt16BE(flagsFor(compiled, query) | (whole ? 0 : Flag.TC), 2);
  if (!whole) out.fill(0, 6, headerOctets);
  else if (serving.ageSeconds > 0 || serving.ttlCap !== undefined) age(out, compiled.ttlOffsets, serving);
  if (opt) {
    opt.copy(out, bodyLength);
    out.writeUInt16BE(out.readUInt16BE(10) + 1, 10);
  }
  return out;
}

function flagsFor(compiled: Compiled, query: Query): number {
  const flags = compiled.bytes.readUInt16BE(2) | Flag.RA | (query.flags & repeated);
  // RFC 6840 5.8: AD only to those who understand it.
  return query.edns?.dnssecOk || query.flags & Flag.AD ? flags : flags & ~Flag.AD;
}

function optFor(query: Query, compiled: Compiled, serving: Serving): Buffer {
  return optRecord({
    udpOctets: udpOctets.edns,
    dnssecOk: query.edns?.dnssecOk ?? false,
    extendedRcode: compiled.rcode >> 4,
    ede: serving.ede ?? compiled.ede,
  });
}

function age(out: Buffer, ttlOffsets: readonly number[], serving: Serving): void {
  const cap = serving.ttlCap ?? 0x7fffffff;
  for (const at of ttlOffsets) {
    out.writeUInt32BE(Math.min(cap, Math.max(0, out.readUInt32BE(at) - serving.ageSeconds)), at);
  }
}

/** An answer with nothing but its question: an error, or an empty one. */
export function bare(key: string, rcode: number, ede?: Ede): Compiled {
  return compile(key, { rcode, flags: 0, answers: [], authorities: [], additionals: [], ede });
}

/** An error to a message whose question could not be read: the header alone (RFC 1035 4.1.1). */
export function headerError(bytes: Buffer, rcode: number): Buffer {
  const out = Buffer.alloc(headerOctets);
  out.writeUInt16BE(bytes.readUInt16BE(0), 0);
  out.writeUInt16BE(Flag.QR | (bytes.readUInt16BE(2) & (0x7800 | Flag.RD)) | rcode, 2);
  return out;
}

/** RFC 6891 6.1.3: an EDNS version that is not ours. */
export function badVersion(query: Query): Buffer {
  return finishAnswer(bare(query.key, Rcode.BADVERS), query, { limit: udpOctets.plain, ageSeconds: 0 });
}
