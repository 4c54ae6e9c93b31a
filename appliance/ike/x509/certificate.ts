import { DecodeError, hex } from '../../lib/bytes.ts';
import {
  bitStringOctets,
  booleanOf,
  type Element,
  elements,
  expect,
  integerText,
  namedBits,
  oidOf,
  sequence,
  single,
  smallInteger,
  tags,
  timeOf,
} from './der.ts';
import { checkName } from './name.ts';

/*
 * RFC 5280 4.1
 *
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
 * TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
 *   [1] issuerUniqueID, [2] subjectUniqueID, [3] extensions }
 */

/** RFC 5280 4.2.1.6. `value`: text of a DNS name, e-mail address or URI; octets of an address (with its mask, in a constraint) or a name. */
export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip' | 'directory'; readonly value: Uint8Array }
  | { readonly kind: 'other'; readonly tag: number };

export interface Constraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** What the extensions say; what is not there is null or empty. */
export interface Extensions {
  readonly ca: boolean;
  readonly pathLength: number | null;
  /** Bits as RFC 5280 4.2.1.3 counts them, bit 0 the lowest. */
  readonly keyUsage: number | null;
  readonly extendedKeyUsage: readonly string[] | null;
  readonly names: readonly GeneralName[];
  readonly constraints: Constraints | null;
  /** Hexadecimal. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  /** Where its revocation list is published: the names in hexadecimal, to be compared with those of a list. */
  readonly distributionPoints: readonly string[];
  /** Critical ones that are not understood here: a certificate with one must not be used. */
  readonly unknownCritical: readonly string[];
}

export interface Certificate {
  readonly whole: Uint8Array;
  /** What is signed, by which algorithm (AlgorithmIdentifier), and the signature. */
  readonly tbs: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly serial: string;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly extensions: Extensions;
}

export const keyUsages = { digitalSignature: 1, nonRepudiation: 2, keyCertSign: 32, cRLSign: 64 } as const;

const context = (number: number) => 0xa0 | number;
const maxCertificateLength = 32_768;

/** @throws {DecodeError} */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > maxCertificateLength) throw new DecodeError(`a certificate of ${bytes.length} octets`);
  const [tbs, algorithm, signature, ...more] = sequence(bytes);
  if (more.length > 0) throw new DecodeError('more than three parts of a certificate');
  const parts = elements(expect(tbs, tags.sequence).content);
  // Version 1 has no field for its version.
  if (parts[0]?.tag === context(0)) parts.shift();
  const [serial, inner, issuer, validity, subject, publicKey, ...rest] = parts;
  const outer = expect(algorithm, tags.sequence).whole;
  if (hex(expect(inner, tags.sequence).whole) !== hex(outer)) throw new DecodeError('two signature algorithms');
  const [notBefore, notAfter] = elements(expect(validity, tags.sequence).content);
  for (const name of [issuer, subject]) checkName(expect(name, tags.sequence).whole);
  return {
    whole: bytes,
    tbs: expect(tbs, tags.sequence).whole,
    algorithm: outer,
    signature: bitStringOctets(signature),
    serial: integerText(serial),
    issuer: expect(issuer, tags.sequence).whole,
    subject: expect(subject, tags.sequence).whole,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    publicKey: expect(publicKey, tags.sequence).whole,
    extensions: decodeExtensions(rest.find(({ tag }) => tag === context(3))),
  };
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** `holder`: the [3] of a certificate, or the [0] of a revocation list. @throws {DecodeError} */
export function extensionList(holder: Element | undefined): Extension[] {
  if (holder === undefined) return [];
  const list = sequence(holder.content).map((element) => {
    const parts = elements(expect(element, tags.sequence).content);
    const critical = parts.length === 3 && booleanOf(parts[1]);
    return { oid: oidOf(parts[0]), critical, value: expect(parts.at(-1), tags.octetString).content };
  });
  if (new Set(list.map(({ oid }) => oid)).size !== list.length) throw new DecodeError('an extension twice');
  return list;
}

type Mutable = { -readonly [Name in keyof Extensions]: Extensions[Name] };

/** Certificate policies are read over: moat asks for none, so any will do (RFC 5280 6.1.1 (c)). */
const readers: Readonly<Record<string, (value: Uint8Array, into: Mutable) => void>> = {
  '2.5.29.14': (value, into) => {
    into.subjectKeyId = hex(single(value, tags.octetString).content);
  },
  '2.5.29.15': (value, into) => {
    into.keyUsage = namedBits(single(value, tags.bitString));
  },
  '2.5.29.17': (value, into) => {
    into.names = sequence(value).map(generalName);
  },
  '2.5.29.19': (value, into) => {
    const parts = sequence(value);
    into.ca = parts[0]?.tag === tags.boolean && booleanOf(parts[0]);
    const length = parts.find(({ tag }) => tag === tags.integer);
    into.pathLength = length ? smallInteger(length) : null;
  },
  '2.5.29.30': (value, into) => {
    into.constraints = decodeConstraints(value);
  },
  '2.5.29.31': (value, into) => {
    into.distributionPoints = sequence(value).flatMap((point) => {
      const name = elements(expect(point, tags.sequence).content).find(({ tag }) => tag === context(0));
      return name ? fullNames(name.content) : [];
    });
  },
  '2.5.29.32': () => {},
  '2.5.29.35': (value, into) => {
    const id = sequence(value).find(({ tag }) => tag === 0x80);
    into.authorityKeyId = id ? hex(id.content) : null;
  },
  '2.5.29.37': (value, into) => {
    into.extendedKeyUsage = sequence(value).map(oidOf);
  },
};

function decodeExtensions(holder: Element | undefined): Extensions {
  const into: Mutable = {
    ...{ ca: false, pathLength: null, keyUsage: null, extendedKeyUsage: null, names: [], constraints: null },
    ...{ subjectKeyId: null, authorityKeyId: null, distributionPoints: [], unknownCritical: [] },
  };
  for (const { oid, critical, value } of extensionList(holder)) {
    const read = readers[oid];
    if (read) read(value, into);
    else if (critical) into.unknownCritical = [...into.unknownCritical, oid];
  }
  return into;
}

/** The full names of a DistributionPointName (RFC 5280 4.2.1.13), in hexadecimal; none for a name relative to the issuer's. */
export function fullNames(point: Uint8Array): string[] {
  const [name] = elements(point);
  return name?.tag === context(0) ? elements(name.content).map(({ whole }) => hex(whole)) : [];
}

/** RFC 5280 4.2.1.10: subtrees begin at the root and have no further end. @throws {DecodeError} */
function decodeConstraints(value: Uint8Array): Constraints {
  const parts = sequence(value);
  const subtrees = (tag: number) =>
    elements(parts.find((part) => part.tag === tag)?.content ?? new Uint8Array()).map((subtree) => {
      const [base, ...limits] = elements(expect(subtree, tags.sequence).content);
      if (base === undefined || limits.length > 0) throw new DecodeError('a subtree with limits');
      return generalName(base);
    });
  return { permitted: subtrees(context(0)), excluded: subtrees(context(1)) };
}

const textNames: Readonly<Record<number, 'email' | 'dns' | 'uri'>> = { 129: 'email', 130: 'dns', 134: 'uri' };

function generalName({ tag, content }: Element): GeneralName {
  const kind = textNames[tag];
  if (kind) return { kind, value: Buffer.from(content).toString('latin1') };
  if (tag === 0x87) return { kind: 'ip', value: content };
  if (tag !== context(4)) return { kind: 'other', tag };
  checkName(content);
  return { kind: 'directory', value: content };
}
