import { DecodeError } from '../../../lib/bytes.ts';
import { lower, type Name } from './name.ts';
import { Class, type Ede, headerOctets, Type } from './numbers.ts';
import { type Rdata, readRdata, u16At } from './rdata.ts';
import { MessageReader } from './reader.ts';

export interface Question {
  /** With the case it was asked in. */
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** A resource record of class IN unless `class` says otherwise. `owner` is lower-case; `ttl` in seconds. */
export interface Rr {
  readonly owner: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Rdata;
}

/** What an OPT record says (RFC 6891 6.1); `ede` is the first extended error in it. */
export interface Edns {
  readonly version: number;
  readonly udpOctets: number;
  readonly dnssecOk: boolean;
  readonly extendedRcode: number;
  readonly ede?: Ede;
}

export interface Message {
  readonly id: number;
  /** The header's second word: QR, opcode, flags, rcode. */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answers: readonly Rr[];
  readonly authorities: readonly Rr[];
  /** Without OPT and TSIG. */
  readonly additionals: readonly Rr[];
  readonly edns?: Edns;
  /** Where a last TSIG record starts, in octets from the start of the message (RFC 8945 5.1). */
  readonly tsigAt?: number;
}

/** Of the header's second word. */
export function opcodeOf(flags: number): number {
  return (flags >> 11) & 15;
}

/** With the upper bits that EDNS adds (RFC 6891 6.1.3). */
export function rcodeOf(message: Message): number {
  return (message.flags & 15) | ((message.edns?.extendedRcode ?? 0) << 4);
}

/**
 * The message of `bytes`, whole: octets behind the last record are an error.
 * @throws {DecodeError} on anything that does not follow RFC 1035 4.1, two OPT records, or a TSIG that is not last.
 */
export function decodeMessage(bytes: Buffer): Message {
  const reader = new MessageReader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const [questionCount, answerCount, authorityCount, additionalCount] = [
    reader.u16(),
    reader.u16(),
    reader.u16(),
    reader.u16(),
  ];
  const questions = repeat(questionCount, () => ({ name: reader.name(), type: reader.u16(), class: reader.u16() }));
  const answers = repeat(answerCount, () => readRr(reader));
  const authorities = repeat(authorityCount, () => readRr(reader));
  const trailer = readAdditionals(reader, additionalCount);
  if (reader.remaining > 0) throw new DecodeError(`${reader.remaining} octets behind the last record`);
  return { id, flags, questions, answers, authorities, ...trailer };
}

function repeat<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i += 1) items.push(read());
  return items;
}

function readRr(reader: MessageReader): Rr {
  const owner = lower(reader.name());
  const type = reader.u16();
  const klass = reader.u16();
  const ttl = reader.u32();
  const rdata = readRdata(reader, type, reader.u16());
  // RFC 2181 8: a time to live with the top bit set is zero. In OPT the field is not a time.
  return { owner, type, class: klass, ttl: ttl > 0x7fffffff && type !== Type.OPT ? 0 : ttl, rdata };
}

function readAdditionals(reader: MessageReader, count: number): Pick<Message, 'additionals' | 'edns' | 'tsigAt'> {
  const additionals: Rr[] = [];
  let edns: Edns | undefined;
  let tsigAt: number | undefined;
  for (let i = 0; i < count; i += 1) {
    const start = reader.at;
    const rr = readRr(reader);
    if (tsigAt !== undefined) throw new DecodeError('a record behind TSIG');
    if (rr.type === Type.OPT) {
      if (edns) throw new DecodeError('two OPT records');
      edns = ednsOf(rr);
    } else if (rr.type === Type.TSIG && rr.class === Class.ANY) tsigAt = start;
    else additionals.push(rr);
  }
  return { additionals, ...(edns && { edns }), ...(tsigAt !== undefined && { tsigAt }) };
}

function ednsOf(opt: Rr): Edns {
  const ede = edeOf(opt.rdata);
  return {
    version: (opt.ttl >>> 16) & 255,
    udpOctets: opt.class,
    dnssecOk: (opt.ttl & 0x8000) !== 0,
    extendedRcode: opt.ttl >>> 24,
    ...(ede && { ede }),
  };
}

const edeOption = 15;

/** @throws {DecodeError} when the options do not fill the RDATA exactly (RFC 6891 6.1.2). */
function edeOf(options: Rdata): Ede | undefined {
  let ede: Ede | undefined;
  let at = 0;
  while (at < options.length) {
    const length = u16At(options, at + 2);
    const end = at + 4 + length;
    if (!(end <= options.length)) throw new DecodeError('an EDNS option longer than its record');
    if (ede === undefined && u16At(options, at) === edeOption && length >= 2) {
      const text = Buffer.from(options.slice(at + 6, end), 'latin1')
        .toString('utf8')
        .slice(0, 120);
      ede = { code: u16At(options, at + 4), text };
    }
    at = end;
  }
  return ede;
}

/** The first octets are enough to tell a query from an answer and to answer with an error. */
export function headerOf(bytes: Buffer): { id: number; flags: number } | undefined {
  if (bytes.length < headerOctets) return undefined;
  return { id: bytes.readUInt16BE(0), flags: bytes.readUInt16BE(2) };
}
