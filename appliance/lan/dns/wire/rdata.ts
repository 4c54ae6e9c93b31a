import { type Name, nameToText } from './name.ts';
import { Type } from './numbers.ts';
import type { MessageReader } from './reader.ts';

/**
 * RDATA in wire form with its names expanded, as a binary string. Two records are the same when these are equal;
 * types that are not in the table below are opaque (RFC 3597).
 */
export type Rdata = string;

/** `name`: a domain name; `text`: a character-string; a number: that many octets; `rest`: all that is left. */
type Field = 'name' | 'text' | 'rest' | number;

/** Types whose RDATA may hold compressed names when it comes in (RFC 3597 4); all others never do. */
const layouts: Readonly<Record<number, readonly Field[]>> = {
  2: ['name'], // NS
  3: ['name'], // MD
  4: ['name'], // MF
  5: ['name'], // CNAME
  6: ['name', 'name', 20], // SOA
  7: ['name'], // MB
  8: ['name'], // MG
  9: ['name'], // MR
  12: ['name'], // PTR
  14: ['name', 'name'], // MINFO
  15: [2, 'name'], // MX
  17: ['name', 'name'], // RP
  18: [2, 'name'], // AFSDB
  21: [2, 'name'], // RT
  24: [18, 'name', 'rest'], // SIG
  26: [2, 'name', 'name'], // PX
  30: ['name', 'rest'], // NXT
  33: [6, 'name'], // SRV
  35: [4, 'text', 'text', 'text', 'name'], // NAPTR
  36: [2, 'name'], // KX
  39: ['name'], // DNAME
};

/** Types of RFC 1035, whose names an encoder may compress (RFC 3597 4), and how many octets come before the name. */
const compressible: Readonly<Record<number, number>> = {
  [Type.NS]: 0,
  [Type.CNAME]: 0,
  [Type.PTR]: 0,
  [Type.MX]: 2,
  [Type.SOA]: 0,
};

/** @throws {DecodeError} when fields do not fill exactly `length` octets. */
export function readRdata(reader: MessageReader, type: number, length: number): Rdata {
  const layout = layouts[type];
  if (layout === undefined || length === 0) return reader.octets(length);
  return reader.within(length, () => layout.map((field) => readField(reader, field)).join(''));
}

function readField(reader: MessageReader, field: Field): string {
  if (field === 'name') return reader.name();
  if (field === 'rest') return reader.octets(reader.remaining);
  if (field !== 'text') return reader.octets(field);
  const length = reader.u8();
  return String.fromCharCode(length) + reader.octets(length);
}

/** Octets in front of the compressible name, or `undefined` when RDATA of this type must go out as it is. */
export function compressibleAt(type: number): number | undefined {
  return compressible[type];
}

/** The name that starts at `at` of expanded RDATA, with its case. */
export function nameAt(rdata: Rdata, at: number): Name {
  let end = at;
  while (rdata.charCodeAt(end) > 0) end += 1 + rdata.charCodeAt(end);
  return rdata.slice(at, end + 1);
}

export function u16At(rdata: Rdata, at: number): number {
  return (rdata.charCodeAt(at) << 8) | rdata.charCodeAt(at + 1);
}

export function u32At(rdata: Rdata, at: number): number {
  return u16At(rdata, at) * 65536 + u16At(rdata, at + 2);
}

export function u16Octets(value: number): string {
  return String.fromCharCode((value >> 8) & 255, value & 255);
}

export function u32Octets(value: number): string {
  return u16Octets(value >>> 16) + u16Octets(value & 0xffff);
}

/** RFC 1035 3.3.13; times in seconds, `minimum` is the time to live of negative answers (RFC 2308 4). */
export interface Soa {
  readonly primary: Name;
  readonly mailbox: Name;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

/** `rdata` must have come through `readRdata` or `soaRdata`. */
export function soaOf(rdata: Rdata): Soa {
  const primary = nameAt(rdata, 0);
  const mailbox = nameAt(rdata, primary.length);
  const at = primary.length + mailbox.length;
  const [serial, refresh, retry, expire, minimum] = [0, 4, 8, 12, 16].map((offset) => u32At(rdata, at + offset));
  if (serial === undefined || refresh === undefined || retry === undefined) throw new TypeError('not an SOA');
  return { primary, mailbox, serial, refresh, retry, expire: expire ?? 0, minimum: minimum ?? 0 };
}

export function soaRdata(soa: Soa): Rdata {
  const times = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
  return soa.primary + soa.mailbox + times.map(u32Octets).join('');
}

/** Character-strings of at most 255 octets each (RFC 1035 3.3.14); `text` is written as UTF-8. */
export function txtRdata(text: string): Rdata {
  const octets = Buffer.from(text, 'utf8').toString('latin1');
  const parts = octets.match(/[\s\S]{1,255}/g) ?? [''];
  return parts.map((part) => String.fromCharCode(part.length) + part).join('');
}

/** RFC 1982 3.2: whether serial `a` is later than `b`, around the wrap at 2^32. */
export function serialAfter(a: number, b: number): boolean {
  const distance = (a - b) >>> 0;
  return distance !== 0 && distance < 0x80000000;
}

/** One record for a log line. */
export function recordText(owner: Name, type: number, rdata: Rdata): string {
  return `${nameToText(owner)} TYPE${type} \\# ${rdata.length}`;
}
