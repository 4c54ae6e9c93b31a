import { DecodeError } from '../../lib/bytes.ts';
import { type Certificate, extensionList, fullNames, keyUsages } from './certificate.ts';
import { bitStringOctets, elements, expect, integerText, sequence, single, tags, timeOf } from './der.ts';
import { checkName, nameKey } from './name.ts';
import { isSignedBy } from './signature.ts';

/*
 * RFC 5280 5.1: the list of an authority's certificates that are no longer good.
 *
 * TBSCertList ::= SEQUENCE { version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates, [0] crlExtensions }
 */
export interface RevocationList {
  readonly tbs: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: number;
  /** Milliseconds since 1970; Infinity when the list does not say. */
  readonly nextUpdate: number;
  readonly revoked: ReadonlySet<string>;
  /** Of users or of authorities only; null: of both. */
  readonly only: 'users' | 'authorities' | null;
  /** A list for certificates that name one of these points (hexadecimal), and for no others; null: for all. */
  readonly points: readonly string[] | null;
}

const maxRevoked = 500_000;
const issuingDistributionPoint = '2.5.29.28';

/**
 * A list that covers everything its authority has issued, or all users or all authorities of it.
 * @throws {DecodeError} also for a list that says less: one of changes, of some reasons or of other authorities
 */
export function decodeRevocationList(bytes: Uint8Array): RevocationList {
  const [tbs, algorithm, signature] = sequence(bytes);
  const parts = elements(expect(tbs, tags.sequence).content);
  if (parts[0]?.tag === tags.integer) parts.shift();
  const [inner, issuer, thisUpdate, ...rest] = parts;
  expect(inner, tags.sequence);
  checkName(expect(issuer, tags.sequence).whole);
  const nextUpdate = rest.find(({ tag }) => tag === tags.utcTime || tag === tags.generalizedTime);
  const revoked = rest.find(({ tag }) => tag === tags.sequence);
  return {
    tbs: expect(tbs, tags.sequence).whole,
    algorithm: expect(algorithm, tags.sequence).whole,
    signature: bitStringOctets(signature),
    issuer: expect(issuer, tags.sequence).whole,
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: nextUpdate ? timeOf(nextUpdate) : Number.POSITIVE_INFINITY,
    revoked: new Set(elements(revoked?.content ?? new Uint8Array(), maxRevoked).map(serialOf)),
    ...scopeOf(extensionList(rest.find(({ tag }) => tag === 0xa0))),
  };
}

function serialOf(entry: Parameters<typeof expect>[0]): string {
  const [serial, , extensions] = elements(expect(entry, tags.sequence).content, 3);
  if (extensions !== undefined) {
    const critical = extensionList({ tag: 0xa0, whole: extensions.whole, content: extensions.whole });
    if (critical.some((each) => each.critical)) throw new DecodeError('an entry with a critical extension');
  }
  return integerText(serial);
}

/** RFC 5280 5.2.5: bits of a list's scope. */
function scopeOf(extensions: ReturnType<typeof extensionList>): Pick<RevocationList, 'only' | 'points'> {
  const point = extensions.find(({ oid }) => oid === issuingDistributionPoint);
  const strange = extensions.find(({ oid, critical }) => critical && oid !== issuingDistributionPoint);
  if (strange !== undefined) throw new DecodeError(`a list with a critical extension ${strange.oid}`);
  if (point === undefined) return { only: null, points: null };
  const parts = elements(single(point.value, tags.sequence).content);
  const has = (tag: number) => parts.some((part) => part.tag === tag && part.content[0] !== 0);
  if (parts.some(({ tag }) => tag === 0xa3 || tag === 0x83) || has(0x84) || has(0x85)) {
    throw new DecodeError('a list of some reasons, of other authorities or of attributes');
  }
  const only = has(0x81) ? 'users' : has(0x82) ? 'authorities' : null;
  const name = parts.find(({ tag }) => tag === 0xa0);
  return { only, points: name ? fullNames(name.content) : null };
}

/** Whether the list speaks for that authority, about that kind of certificate, now. */
export function speaksOf(list: RevocationList, certificate: Certificate, issuer: Certificate, at: number): boolean {
  const { ca, keyUsage } = issuer.extensions;
  if (nameKey(list.issuer) !== nameKey(certificate.issuer)) return false;
  if (list.thisUpdate > at || list.nextUpdate < at) return false;
  if (!ca || (keyUsage !== null && (keyUsage & keyUsages.cRLSign) === 0)) return false;
  if (list.only !== null && (list.only === 'authorities') !== certificate.extensions.ca) return false;
  const { distributionPoints } = certificate.extensions;
  if (list.points !== null && !list.points.some((point) => distributionPoints.includes(point))) return false;
  return isSignedBy(list, issuer.publicKey);
}
