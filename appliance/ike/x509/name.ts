import { DecodeError, hex } from '../../lib/bytes.ts';
import { type Element, elements, encode, encodeOid, expect, oidOf, sequence, single, tags } from './der.ts';

/* Distinguished names, RFC 5280 4.1.2.4, and their text: attributes in the order of the octets, as in `C=CH, O=Acme, CN=gw`. */

const attributeOids: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  SERIALNUMBER: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  STREET: '2.5.4.9',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  T: '2.5.4.12',
  GN: '2.5.4.42',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  E: '1.2.840.113549.1.9.1',
};
const attributeNames = new Map(Object.entries(attributeOids).map(([name, oid]) => [oid, name]));
const aliases: Readonly<Record<string, string>> = { EMAILADDRESS: 'E', S: 'ST', USERID: 'UID' };

/** Real names have fewer than ten. */
const maxAttributes = 64;

interface Attribute {
  readonly oid: string;
  readonly value: Element;
}

/** The relative names, each a set of attributes. @throws {DecodeError} */
function relativeNames(name: Uint8Array): Attribute[][] {
  return sequence(name, maxAttributes).map((set) =>
    elements(expect(set, tags.set).content, maxAttributes).map((attribute) => {
      const [type, value, ...more] = elements(expect(attribute, tags.sequence).content);
      if (value === undefined || more.length > 0) throw new DecodeError('an attribute that is not type and value');
      return { oid: oidOf(type), value };
    }),
  );
}

const encodings: Readonly<Record<number, (octets: Buffer) => string>> = {
  [tags.utf8String]: (octets) => octets.toString('utf8'),
  [tags.printableString]: (octets) => octets.toString('latin1'),
  [tags.t61String]: (octets) => octets.toString('latin1'),
  [tags.ia5String]: (octets) => octets.toString('latin1'),
  [tags.bmpString]: (octets) =>
    octets.length % 2 === 0 ? Buffer.from(octets).swap16().toString('utf16le') : octets.toString('hex'),
};

function textOf({ tag, content, whole }: Element): string {
  const text = encodings[tag]?.(Buffer.from(content));
  return text ?? `#${hex(whole)}`;
}

/** For people. @throws {DecodeError} */
export function nameText(name: Uint8Array): string {
  const parts = relativeNames(name).map((set) =>
    set.map(({ oid, value }) => `${attributeNames.get(oid) ?? oid}=${escaped(textOf(value))}`).join('+'),
  );
  return parts.join(', ');
}

function escaped(text: string): string {
  return text.replace(/[\\,+=]/g, (character) => `\\${character}`);
}

/** @throws {DecodeError} */
export function mailAddresses(name: Uint8Array): string[] {
  const attributes = relativeNames(name).flat();
  return attributes.flatMap(({ oid, value }) => (oid === attributeOids.E ? [textOf(value)] : []));
}

/** RFC 5280 7.1: the same for names that differ in letter case, in runs of spaces or in the type of their strings. @throws {DecodeError} */
export function nameKey(name: Uint8Array): string {
  return relativeNameKeys(name).join('/');
}

/** One key for each relative name, for comparisons of their beginnings. @throws {DecodeError} */
export function relativeNameKeys(name: Uint8Array): string[] {
  return relativeNames(name).map((set) =>
    set
      .map(({ oid, value }) => JSON.stringify([oid, folded(textOf(value))]))
      .sort()
      .join('+'),
  );
}

function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
}

/** Letter, digit, space and ' ( ) + , - . / : = ? (X.680 41.4). */
const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

function valueElement(oid: string, text: string): Uint8Array {
  const octets = new Uint8Array(Buffer.from(text, 'utf8'));
  if (oid === attributeOids.E || oid === attributeOids.DC) return encode(tags.ia5String, octets);
  return encode(printable.test(text) ? tags.printableString : tags.utf8String, octets);
}

/** `C=CH, O=Acme, CN=gw`; a comma, plus or equals sign in a value stands behind a backslash. @throws {TypeError} with a sentence */
export function parseName(text: string): Uint8Array {
  const parts = text.match(/(?:\\.|[^\\,])+/g) ?? [];
  const sets = parts.map((part) => {
    const [, type = '', value = ''] = /^\s*([A-Za-z0-9.]+)\s*=\s*(.*?)\s*$/s.exec(part) ?? [];
    const name = type.toUpperCase();
    const oid = /^\d+(\.\d+)+$/.test(type) ? type : attributeOids[aliases[name] ?? name];
    if (oid === undefined || value === '') {
      throw new TypeError(`'${part.trim()}' is no part of a name: expected such as CN=gateway, O=Company, C=CH`);
    }
    const plain = value.replace(/\\(.)/g, '$1');
    return encode(tags.set, encode(tags.sequence, encodeOid(oid), valueElement(oid, plain)));
  });
  if (sets.length === 0) throw new TypeError('a distinguished name without a part');
  return encode(tags.sequence, ...sets);
}

/** @throws {DecodeError} unless the octets are a name. */
export function checkName(octets: Uint8Array): void {
  single(octets, tags.sequence);
  relativeNames(octets);
}
