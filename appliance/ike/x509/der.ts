import { concat, DecodeError, hex } from '../../lib/bytes.ts';

/*
 * DER (ITU-T X.690), as far as certificates need it: definite lengths in their shortest form, tags of one octet. Every
 * element is a view of the octets that it was read from, never longer than what holds it.
 */

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface Element {
  readonly tag: number;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

/** Bounds the work for one list; real ones are far shorter, except those of revoked certificates. */
const maxElements = 1_000;

/** The element at the start of `bytes`. @throws {DecodeError} */
function first(bytes: Uint8Array): Element {
  const [tag, short] = bytes;
  if (tag === undefined || short === undefined) throw new DecodeError('an element without tag or length');
  if ((tag & 0x1f) === 0x1f) throw new DecodeError('a tag of several octets');
  const { length, at } = short < 0x80 ? { length: short, at: 2 } : longLength(bytes, short & 0x7f);
  if (length > bytes.length - at) throw new DecodeError('an element that is longer than what holds it');
  return { tag, whole: bytes.subarray(0, at + length), content: bytes.subarray(at, at + length) };
}

function longLength(bytes: Uint8Array, count: number): { length: number; at: number } {
  if (count === 0 || count > 3 || bytes.length < 2 + count) throw new DecodeError('a length that DER has not');
  const length = bytes.subarray(2, 2 + count).reduce((sum, octet) => sum * 256 + octet, 0);
  if (length < 0x80 || bytes[2] === 0) throw new DecodeError('a length that is not in its shortest form');
  return { length, at: 2 + count };
}

/** Exactly one element and nothing behind it. @throws {DecodeError} */
export function single(bytes: Uint8Array, tag: number): Element {
  const element = first(bytes);
  if (element.tag !== tag) throw new DecodeError(`tag ${element.tag} where ${tag} belongs`);
  if (element.whole.length !== bytes.length) throw new DecodeError('octets behind an element');
  return element;
}

/** All elements, one after the other. @throws {DecodeError} */
export function elements(bytes: Uint8Array, limit = maxElements): Element[] {
  const found: Element[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    if (found.length === limit) throw new DecodeError(`more than ${limit} elements`);
    const element = first(rest);
    found.push(element);
    rest = rest.subarray(element.whole.length);
  }
  return found;
}

/** The elements of a SEQUENCE. @throws {DecodeError} */
export function sequence(bytes: Uint8Array, limit = maxElements): Element[] {
  return elements(single(bytes, tags.sequence).content, limit);
}

/** @throws {DecodeError} unless it is there and has the tag. */
export function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new DecodeError(`tag ${element?.tag ?? 'nothing'} where ${tag} belongs`);
  return element;
}

/** `1.2.840.113549`. @throws {DecodeError} */
export function oidOf(element: Element | undefined): string {
  const { content } = expect(element, tags.oid);
  if (content.length === 0 || content.length > 32) throw new DecodeError('an object identifier of no sensible length');
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  if (((content.at(-1) ?? 0) & 0x80) !== 0) throw new DecodeError('an object identifier that does not end');
  const [head = 0, ...rest] = arcs;
  const root = Math.min(2, Math.floor(head / 40));
  return [root, head - 40 * root, ...rest].join('.');
}

/** Lower-case hexadecimal of the content: serial numbers are compared, not calculated with. @throws {DecodeError} */
export function integerText(element: Element | undefined): string {
  const { content } = expect(element, tags.integer);
  if (content.length === 0) throw new DecodeError('an integer without octets');
  return hex(content);
}

/** 0 to 2^24. @throws {DecodeError} */
export function smallInteger(element: Element | undefined): number {
  const { content } = expect(element, tags.integer);
  if (content.length === 0 || content.length > 3 || (content[0] ?? 0) >= 0x80) {
    throw new DecodeError('an integer that is not small');
  }
  return content.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** @throws {DecodeError} */
export function booleanOf(element: Element | undefined): boolean {
  const { content } = expect(element, tags.boolean);
  if (content.length !== 1) throw new DecodeError('a truth value of more than one octet');
  return content[0] !== 0;
}

/** Of whole octets, as keys and signatures are. @throws {DecodeError} */
export function bitStringOctets(element: Element | undefined): Uint8Array {
  const { content } = expect(element, tags.bitString);
  if (content[0] !== 0) throw new DecodeError('a bit string that is not made of whole octets');
  return content.subarray(1);
}

/** Bit 0 is the first of the string and the lowest of the number; at most 16 are looked at. @throws {DecodeError} */
export function namedBits(element: Element | undefined): number {
  const { content } = expect(element, tags.bitString);
  if (content.length === 0) throw new DecodeError('a bit string without octets');
  let bits = 0;
  for (let i = 0; i < 16; i += 1) {
    if ((((content[1 + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1) === 1) bits |= 1 << i;
  }
  return bits;
}

const times: Readonly<Record<number, RegExp>> = {
  [tags.utcTime]: /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
  [tags.generalizedTime]: /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
};

/** Milliseconds since 1970 (RFC 5280 4.1.2.5). @throws {DecodeError} */
export function timeOf(element: Element | undefined): number {
  const text = Buffer.from(element?.content ?? []).toString('latin1');
  const match = times[element?.tag ?? 0]?.exec(text);
  if (!match) throw new DecodeError('a time in no form that certificates have');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const century = element?.tag === tags.utcTime ? (year < 50 ? 2000 : 1900) : 0;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}

export function encode(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = concat(...content);
  if (body.length < 0x80) return concat(Uint8Array.of(tag, body.length), body);
  const length = [body.length >> 16, (body.length >> 8) & 255, body.length & 255];
  while (length[0] === 0) length.shift();
  return concat(Uint8Array.of(tag, 0x80 | length.length, ...length), body);
}

export function encodeOid(text: string): Uint8Array {
  const [a = 0, b = 0, ...rest] = text.split('.').map(Number);
  const octets = [40 * a + b, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128))
      groups.unshift(0x80 | (more & 0x7f));
    return groups;
  });
  return encode(tags.oid, Uint8Array.from(octets));
}
