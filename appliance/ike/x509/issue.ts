import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { concat, fromHex } from '../../lib/bytes.ts';
import { parseIp } from '../../lib/ip.ts';
import { encode, encodeOid, tags } from './der.ts';
import { parseName } from './name.ts';
import { signWith } from './signature.ts';

/* A certificate authority for tests and laboratories: it issues whatever it is asked for, good or not. */

export type KeyKind = 'ed25519' | 'p256' | 'p384' | 'rsa';

export function newKey(kind: KeyKind): KeyObject {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'prime256v1' : 'secp384r1' }).privateKey;
}

/** What a certificate is to say; times in milliseconds since 1970. */
export interface Wish {
  readonly subject: string;
  readonly key: KeyObject;
  readonly serial?: number;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** Octets of the bit string, hexadecimal. */
  readonly keyUsage?: string;
  readonly extendedKeyUsage?: readonly string[];
  readonly dns?: readonly string[];
  readonly emails?: readonly string[];
  readonly addresses?: readonly string[];
  readonly permittedDns?: readonly string[];
  readonly excludedDns?: readonly string[];
  /** An extension that nobody knows. */
  readonly critical?: string;
}

export interface Issued {
  readonly der: Uint8Array;
  readonly subject: string;
  readonly key: KeyObject;
}

const everyHash = [2, 3, 4, 5];
const context = (number: number, ...content: Uint8Array[]) => encode(0xa0 | number, ...content);
const text = (tag: number, value: string) => encode(tag, new Uint8Array(Buffer.from(value, 'latin1')));
const integer = (value: number) =>
  encode(
    tags.integer,
    value < 128 ? Uint8Array.of(value) : Uint8Array.of(0x40 | (value >> 16), (value >> 8) & 255, value & 255),
  );
const yes = encode(tags.boolean, Uint8Array.of(255));

function timeElement(at: number): Uint8Array {
  const digits = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '');
  const year = new Date(at).getUTCFullYear();
  return year < 2050 ? text(tags.utcTime, digits.slice(2)) : text(tags.generalizedTime, digits);
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return encode(tags.sequence, encodeOid(oid), ...(critical ? [yes] : []), encode(tags.octetString, value));
}

function publicKeyOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
}

function keyId(key: KeyObject): Uint8Array {
  return new Uint8Array(createHash('sha1').update(publicKeyOf(key)).digest());
}

function generalNames({ dns = [], emails = [], addresses = [] }: Wish): Uint8Array[] {
  return [
    ...dns.map((name) => text(0x82, name)),
    ...emails.map((name) => text(0x81, name)),
    ...addresses.map((address) => encode(0x87, parseIp(address))),
  ];
}

function extensionsOf(wish: Wish, issuerKey: KeyObject): Uint8Array[] {
  const { ca = false, pathLength, keyUsage, extendedKeyUsage, permittedDns, excludedDns, critical } = wish;
  const names = generalNames(wish);
  const subtrees = (bases: readonly string[] = []) => bases.map((base) => encode(tags.sequence, text(0x82, base)));
  const limits = [
    ...(permittedDns ? [context(0, ...subtrees(permittedDns))] : []),
    ...(excludedDns ? [context(1, ...subtrees(excludedDns))] : []),
  ];
  const length = pathLength === undefined ? [] : [integer(pathLength)];
  return [
    extension('2.5.29.14', false, encode(tags.octetString, keyId(wish.key))),
    extension('2.5.29.35', false, encode(tags.sequence, encode(0x80, keyId(issuerKey)))),
    ...(ca ? [extension('2.5.29.19', true, encode(tags.sequence, yes, ...length))] : []),
    ...(keyUsage ? [extension('2.5.29.15', true, encode(tags.bitString, fromHex(`00${keyUsage}`)))] : []),
    ...(extendedKeyUsage
      ? [extension('2.5.29.37', false, encode(tags.sequence, ...extendedKeyUsage.map(encodeOid)))]
      : []),
    ...(names.length > 0 ? [extension('2.5.29.17', false, encode(tags.sequence, ...names))] : []),
    ...(limits.length > 0 ? [extension('2.5.29.30', true, encode(tags.sequence, ...limits))] : []),
    ...(critical ? [extension(critical, true, encode(tags.null))] : []),
  ];
}

const start = Date.UTC(2026, 0, 1);
const end = Date.UTC(2036, 0, 1);

/** `issuer` null: it signs itself. */
export function issue(wish: Wish, issuer: Issued | null): Issued {
  const by = issuer ?? { subject: wish.subject, key: wish.key };
  const algorithm = signed(by.key, new Uint8Array()).algorithm;
  const validity = [wish.notBefore ?? start, wish.notAfter ?? end].map(timeElement);
  const tbs = encode(
    tags.sequence,
    context(0, integer(2)),
    integer(wish.serial ?? 1),
    algorithm,
    parseName(by.subject),
    encode(tags.sequence, ...validity),
    parseName(wish.subject),
    publicKeyOf(wish.key),
    context(3, encode(tags.sequence, ...extensionsOf(wish, by.key))),
  );
  return { der: sealed(by.key, tbs, algorithm), subject: wish.subject, key: wish.key };
}

/** A revocation list of these serial numbers. */
export function issueList(
  issuer: Issued,
  serials: readonly number[],
  { thisUpdate = start, nextUpdate = end }: { readonly thisUpdate?: number; readonly nextUpdate?: number } = {},
): Uint8Array {
  const algorithm = signed(issuer.key, new Uint8Array()).algorithm;
  const entries = serials.map((serial) => encode(tags.sequence, integer(serial), timeElement(start)));
  const revoked = entries.length > 0 ? [encode(tags.sequence, ...entries)] : [];
  const times = [timeElement(thisUpdate), timeElement(nextUpdate)];
  const tbs = encode(tags.sequence, integer(1), algorithm, parseName(issuer.subject), ...times, ...revoked);
  return sealed(issuer.key, tbs, algorithm);
}

function signed(key: KeyObject, octets: Uint8Array) {
  const signature = signWith(key, octets, everyHash);
  if (signature === null) throw new TypeError('a key that signs nothing');
  return signature;
}

function sealed(key: KeyObject, tbs: Uint8Array, algorithm: Uint8Array): Uint8Array {
  const { signature } = signed(key, tbs);
  return encode(tags.sequence, tbs, algorithm, encode(tags.bitString, concat(Uint8Array.of(0), signature)));
}

export function pem(label: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
