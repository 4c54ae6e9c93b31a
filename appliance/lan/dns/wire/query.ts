import type { Name } from './name.ts';
import { Flag, headerOctets, Type, udpOctets } from './numbers.ts';

/** A question from the LAN, read without allocating more than its key: this runs once per query. */
export interface Query {
  readonly id: number;
  readonly flags: number;
  /** Length of the name in octets; its octets, in the client's case, stand behind the header of `bytes`. */
  readonly nameLength: number;
  readonly type: number;
  readonly class: number;
  /** Absent when the client does not speak EDNS. */
  readonly edns: { readonly version: number; readonly udpOctets: number; readonly dnssecOk: boolean } | undefined;
  /** Lower-case name, type, and an octet of bits (`KeyBit`): equal keys have equal answers. */
  readonly key: string;
  readonly bytes: Buffer;
}

/** DO, CD, and the absence of RD. */
export const KeyBit = { dnssecOk: 1, checkingDisabled: 2, noRecursion: 4 } as const;

/** What a message from a client is: a question, garbage to drop, or something to answer with an error. */
export type Parsed = Query | 'drop' | 'formErr' | 'other';

/** Octets of names in lower case (RFC 4343: ASCII only). */
export const lowered = Buffer.from(
  Uint8Array.from({ length: 256 }, (_, octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet)),
);
const scratch = Buffer.alloc(258);
const questionFlags = 0xf800; // QR and opcode

/**
 * Reads a query: one question, no answers, at most an OPT record behind it. `other` is anything that is well formed
 * so far but not this (NOTIFY, TSIG, another opcode): the slow path looks at it.
 */
export function parseQuery(bytes: Buffer): Parsed {
  if (bytes.length < headerOctets) return 'drop';
  const flags = bytes.readUInt16BE(2);
  // An answer is never answered: two servers would talk forever.
  if (flags & 0x8000) return 'drop';
  if (flags & questionFlags) return 'other';
  if (bytes.readUInt32BE(4) !== 0x00010000 || bytes.readUInt16BE(8) !== 0) return 'formErr';
  const end = nameEndOf(bytes, headerOctets, bytes.length);
  if (end < 0 || end + 4 > bytes.length) return 'formErr';
  // The key's name; octets of lengths are below those of letters.
  for (let i = headerOctets; i < end; i += 1) scratch[i - headerOctets] = lowered[bytes[i] ?? 0] ?? 0;
  return withEdns(bytes, flags, end);
}

/** Where the uncompressed name that starts at `start` ends; -1 when it has none of 255 octets before `end`. */
export function nameEndOf(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const length = bytes[at] ?? 0;
    if (length > 63) return -1;
    at += 1 + length;
    if (at > end || at - start > 255) return -1;
    if (length === 0) return at;
  }
  return -1;
}

function withEdns(bytes: Buffer, flags: number, nameEnd: number): Parsed {
  const additional = bytes.readUInt16BE(10);
  const optAt = nameEnd + 4;
  if (additional === 0) return bytes.length === optAt ? query(bytes, flags, nameEnd, undefined) : 'formErr';
  if (additional > 1) return 'other';
  if (optAt + 11 > bytes.length || bytes[optAt] !== 0) return 'formErr';
  if (bytes.readUInt16BE(optAt + 1) !== Type.OPT) return 'other';
  if (optAt + 11 + bytes.readUInt16BE(optAt + 9) !== bytes.length) return 'formErr';
  return query(bytes, flags, nameEnd, {
    version: bytes[optAt + 6] ?? 0,
    udpOctets: bytes.readUInt16BE(optAt + 3),
    dnssecOk: ((bytes[optAt + 7] ?? 0) & 0x80) !== 0,
  });
}

function query(bytes: Buffer, flags: number, nameEnd: number, edns: Query['edns']): Query {
  const nameLength = nameEnd - headerOctets;
  scratch[nameLength] = bytes[nameEnd] ?? 0;
  scratch[nameLength + 1] = bytes[nameEnd + 1] ?? 0;
  scratch[nameLength + 2] =
    (edns?.dnssecOk ? KeyBit.dnssecOk : 0) |
    (flags & Flag.CD ? KeyBit.checkingDisabled : 0) |
    (flags & Flag.RD ? 0 : KeyBit.noRecursion);
  return {
    id: bytes.readUInt16BE(0),
    flags,
    nameLength,
    type: bytes.readUInt16BE(nameEnd),
    class: bytes.readUInt16BE(nameEnd + 2),
    edns,
    key: scratch.toString('latin1', 0, nameLength + 3),
    bytes,
  };
}

/** The name in lower case. */
export function nameOf(query: Query): Name {
  return query.key.slice(0, query.nameLength);
}

/** How many octets an answer over UDP may have (RFC 6891 6.2.3), never more than travels unfragmented. */
export function udpLimit(query: Query): number {
  if (!query.edns) return udpOctets.plain;
  return Math.min(Math.max(query.edns.udpOctets, udpOctets.plain), udpOctets.edns);
}
