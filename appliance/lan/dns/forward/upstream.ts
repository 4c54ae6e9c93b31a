import { DecodeError } from '../../../lib/bytes.ts';
import { type Compiled, compile } from '../wire/compiled.ts';
import { decodeMessage, headerOf, type Message, type Rr, rcodeOf } from '../wire/message.ts';
import { lower, type Name } from '../wire/name.ts';
import { Class, Flag, headerOctets, Rcode, Type, udpOctets } from '../wire/numbers.ts';
import { soaOf } from '../wire/rdata.ts';
import { MessageWriter, optRecord } from '../wire/writer.ts';

/** Seconds. RFC 8767 4 caps positive answers at days; a week is no use to a house. RFC 2308 5: hours for negative. */
export const ttlLimits = { positive: 86_400, negative: 3_600, failure: 1 } as const;

/** A question as it goes to a resolver: `name` in random case, which a forger has to guess too (0x20). */
export interface UpstreamQuestion {
  readonly id: number;
  readonly name: Name;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly edns: boolean;
}

export function encodeUpstream(question: UpstreamQuestion): Buffer {
  // RFC 6840 5.7: AD in a question says that AD in the answer is understood; who asked for it gets it.
  const writer = new MessageWriter(question.id, Flag.RD | Flag.AD | (question.checkingDisabled ? Flag.CD : 0));
  writer.question(question.name, question.type, Class.IN);
  const bytes = writer.finish();
  if (!question.edns) return bytes;
  bytes.writeUInt16BE(1, 10);
  return Buffer.concat([
    bytes,
    optRecord({ udpOctets: udpOctets.edns, dnssecOk: question.dnssecOk, extendedRcode: 0 }),
  ]);
}

/** `bits`: one octet of randomness for each octet of the name. */
export function randomCase(name: Name, bits: Uint8Array): Name {
  return name.replace(/[a-z]/g, (letter, at: number) => ((bits[at] ?? 0) & 1 ? letter.toUpperCase() : letter));
}

export type UpstreamReply =
  /** Not an answer to this question: forged, late or garbage. */
  | { readonly kind: 'ignore' }
  /** Ask again over TCP: truncated, or the case was not kept. */
  | { readonly kind: 'tcp' }
  /** The server does not know EDNS (RFC 6891 7). */
  | { readonly kind: 'noEdns' }
  /** An answer that another server may better: SERVFAIL, REFUSED and the like. */
  | { readonly kind: 'failure'; readonly compiled: Compiled }
  | { readonly kind: 'answer'; readonly compiled: Compiled; readonly ttlSeconds: number };

/** What a datagram (or TCP message) from the server that was asked means. `key` is that of the cache. */
export function readUpstream(bytes: Buffer, question: UpstreamQuestion, key: string, tcp: boolean): UpstreamReply {
  const header = headerOf(bytes);
  if (header?.id !== question.id || (header.flags & 0xf800) !== Flag.QR) return { kind: 'ignore' };
  const message = decoded(bytes);
  const asked = message?.questions.length === 1 ? message.questions[0] : undefined;
  if (!message || !asked) return withoutQuestion(bytes, header.flags, question, tcp);
  if (asked.type !== question.type || asked.class !== Class.IN) return { kind: 'ignore' };
  if (asked.name !== question.name && !tcp) {
    return lower(asked.name) === lower(question.name) ? { kind: 'tcp' } : { kind: 'ignore' };
  }
  if (lower(asked.name) !== lower(question.name)) return { kind: 'ignore' };
  if (message.flags & Flag.TC && !tcp) return { kind: 'tcp' };
  return judged(message, question, key);
}

/** Some servers answer what they do not understand with a bare header; some cut a truncated answer anywhere. */
function withoutQuestion(bytes: Buffer, flags: number, question: UpstreamQuestion, tcp: boolean): UpstreamReply {
  if ((flags & 15) === Rcode.FORMERR && question.edns && bytes.length === headerOctets) return { kind: 'noEdns' };
  return flags & Flag.TC && !tcp ? { kind: 'tcp' } : { kind: 'ignore' };
}

function decoded(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function judged(message: Message, question: UpstreamQuestion, key: string): UpstreamReply {
  const rcode = rcodeOf(message);
  if (question.edns && !message.edns && (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP)) return { kind: 'noEdns' };
  const own = (rr: Rr) => rr.class === Class.IN;
  const compiled = compile(key, {
    rcode,
    flags: message.flags & Flag.AD,
    answers: message.answers.filter(own),
    authorities: message.authorities.filter(own),
    additionals: message.additionals.filter(own),
    ede: message.edns?.ede,
  });
  if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) return { kind: 'failure', compiled };
  return { kind: 'answer', compiled, ttlSeconds: lifetime(message, question.type) };
}

/** How long an answer may be kept, in seconds (RFC 2181 5.2, RFC 2308 5); 0 = not at all. */
function lifetime(message: Message, type: number): number {
  const positive = message.answers.reduce((least, rr) => Math.min(least, rr.ttl), ttlLimits.positive as number);
  const answered = message.answers.some((rr) => rr.type === type || type === Type.ANY);
  if (rcodeOf(message) === Rcode.NOERROR && answered) return positive;
  // Without an SOA nothing says how long the name stays away (RFC 2308 5): not kept.
  const soa = message.authorities.find((rr) => rr.type === Type.SOA);
  if (!soa) return 0;
  return Math.min(positive, soa.ttl, soaOf(soa.rdata).minimum, ttlLimits.negative);
}
