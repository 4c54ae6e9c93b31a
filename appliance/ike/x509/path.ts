import { sameBytes } from '../../lib/bytes.ts';
import { type Certificate, type GeneralName, keyUsages } from './certificate.ts';
import { forbidden, namesOf } from './constraints.ts';
import { type RevocationList, speaksOf } from './crl.ts';
import { nameKey, nameText } from './name.ts';
import { isSignedBy } from './signature.ts';

/*
 * RFC 5280 6.1, without policies: from a peer's certificate over those that it sent along to one that we trust. Who calls
 * can send anything, so depth and the number of signatures that are looked at are bounded.
 */

const maxDepth = 8;
const maxSignatures = 32;
export const maxIntermediates = 16;

export interface Trusted {
  readonly anchors: readonly Certificate[];
  readonly lists: readonly RevocationList[];
  /** `required`: a certificate about which no valid list says anything is refused. */
  readonly revocation: 'ifAvailable' | 'required';
}

export interface Chain {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
}

/** `time`: expired, or not valid yet, which may as well be our own clock. */
export interface Refusal {
  readonly reason: 'time' | 'untrusted' | 'revoked' | 'purpose' | 'name';
  readonly detail: string;
}

interface Search {
  readonly trusted: Trusted;
  readonly intermediates: readonly Certificate[];
  readonly at: number;
  signatures: number;
  refusal: Refusal | null;
}

/** Null when a path is good, or the certificate itself is one that we trust; otherwise what is wrong with the best one. `at`: milliseconds since 1970. */
export function checkChain({ leaf, intermediates }: Chain, trusted: Trusted, at: number): Refusal | null {
  if (trusted.anchors.some((anchor) => isSameCertificate(anchor, leaf))) return checkTime(leaf, at) ?? checkLeaf(leaf);
  const search: Search = {
    trusted,
    intermediates: intermediates.slice(0, maxIntermediates),
    at,
    signatures: 0,
    refusal: null,
  };
  if (climb(search, [leaf])) return null;
  const detail = `no trusted authority has issued the certificate of ${nameText(leaf.subject)}`;
  return search.refusal ?? { reason: 'untrusted', detail };
}

/** Depth first from the leaf upwards; `path` begins with the leaf. */
function climb(search: Search, path: readonly Certificate[]): boolean {
  const top = path.at(-1);
  if (top === undefined || path.length > maxDepth) return false;
  const issuers = [...search.trusted.anchors, ...search.intermediates].filter((each) => mayHaveIssued(each, top));
  for (const issuer of issuers) {
    if (path.includes(issuer) || search.signatures >= maxSignatures) continue;
    search.signatures += 1;
    if (!isSignedBy(top, issuer.publicKey)) continue;
    const longer = [...path, issuer];
    if (search.trusted.anchors.includes(issuer)) {
      const refusal = checkPath(longer, search);
      if (refusal === null) return true;
      search.refusal ??= refusal;
    } else if (climb(search, longer)) return true;
  }
  return false;
}

function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  const { authorityKeyId } = certificate.extensions;
  const { subjectKeyId } = issuer.extensions;
  if (authorityKeyId !== null && subjectKeyId !== null && authorityKeyId !== subjectKeyId) return false;
  return nameKey(issuer.subject) === nameKey(certificate.issuer);
}

/** From the leaf to the anchor; all signatures are right. */
function checkPath(path: readonly Certificate[], { trusted, at }: Search): Refusal | null {
  for (const [i, certificate] of path.entries()) {
    const issuer = path[i + 1];
    const refusal =
      checkTime(certificate, at) ??
      (i === 0 ? checkLeaf(certificate) : checkAuthority(certificate, path.slice(1, i))) ??
      checkNames(certificate, path.slice(0, i)) ??
      (issuer ? checkRevocation(certificate, issuer, trusted, at) : null);
    if (refusal !== null) return refusal;
  }
  return null;
}

function checkTime({ subject, notBefore, notAfter }: Certificate, at: number): Refusal | null {
  if (at >= notBefore && at <= notAfter) return null;
  const what = at > notAfter ? `expired on ${day(notAfter)}` : `is not valid before ${day(notBefore)}`;
  return { reason: 'time', detail: `the certificate of ${nameText(subject)} ${what}, and it is ${day(at)} here` };
}

export function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** RFC 4945 5.1.3.12: for IKE, anything, or what gateways and their clients are given in practice. */
const fitExtendedUsages = [
  '2.5.29.37.0', // any
  '1.3.6.1.5.5.7.3.17', // ipsecIKE
  '1.3.6.1.5.5.8.2.2', // iKEIntermediate
  '1.3.6.1.5.5.7.3.5', // ipsecEndSystem
  '1.3.6.1.5.5.7.3.6', // ipsecTunnel
  '1.3.6.1.5.5.7.3.7', // ipsecUser
  '1.3.6.1.5.5.7.3.1', // serverAuth
  '1.3.6.1.5.5.7.3.2', // clientAuth
];

function checkLeaf(certificate: Certificate): Refusal | null {
  const { keyUsage, extendedKeyUsage } = certificate.extensions;
  const signs = keyUsages.digitalSignature | keyUsages.nonRepudiation; // RFC 4945 5.1.3.2
  if (keyUsage !== null && (keyUsage & signs) === 0) return misused(certificate, 'may not be used for signatures');
  if (extendedKeyUsage !== null && !extendedKeyUsage.some((oid) => fitExtendedUsages.includes(oid))) {
    return misused(certificate, 'is for other purposes than IKE');
  }
  return checkCritical(certificate);
}

/** `below`: the authorities between it and the leaf. */
function checkAuthority(certificate: Certificate, below: readonly Certificate[]): Refusal | null {
  const { ca, keyUsage, pathLength } = certificate.extensions;
  if (!ca) return misused(certificate, 'is not that of an authority');
  if (keyUsage !== null && (keyUsage & keyUsages.keyCertSign) === 0)
    return misused(certificate, 'may not issue certificates');
  const counted = below.filter((each) => !isSelfIssued(each)).length;
  if (pathLength !== null && counted > pathLength)
    return misused(certificate, `allows ${pathLength} authorities below it`);
  return checkCritical(certificate);
}

function checkCritical(certificate: Certificate): Refusal | null {
  const [oid] = certificate.extensions.unknownCritical;
  return oid === undefined ? null : misused(certificate, `has a critical extension that nobody here knows (${oid})`);
}

function misused({ subject }: Certificate, what: string): Refusal {
  return { reason: 'purpose', detail: `the certificate of ${nameText(subject)} ${what}` };
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return nameKey(subject) === nameKey(issuer);
}

/** The constraints of an authority bind everything below it, except authorities that changed their key (RFC 5280 6.1.3 (b)). */
function checkNames({ extensions, subject }: Certificate, below: readonly Certificate[]): Refusal | null {
  const { constraints } = extensions;
  if (constraints === null) return null;
  for (const [i, each] of below.entries()) {
    if (i > 0 && isSelfIssued(each)) continue;
    const name = forbidden(namesOf(each), constraints);
    if (name === null) continue;
    return { reason: 'name', detail: `${nameText(subject)} may not issue a certificate for ${printedName(name)}` };
  }
  return null;
}

function printedName(name: GeneralName): string {
  switch (name.kind) {
    case 'directory':
      return nameText(name.value);
    case 'ip':
      return `the address ${name.value.join('.')}`;
    case 'other':
      return 'a name of a strange form';
    default:
      return name.value;
  }
}

function checkRevocation(
  certificate: Certificate,
  issuer: Certificate,
  { lists, revocation }: Trusted,
  at: number,
): Refusal | null {
  const speaking = lists.filter((list) => speaksOf(list, certificate, issuer, at));
  const whose = `the certificate of ${nameText(certificate.subject)}`;
  if (speaking.some(({ revoked }) => revoked.has(certificate.serial))) {
    return { reason: 'revoked', detail: `${whose} was revoked by ${nameText(issuer.subject)}` };
  }
  if (speaking.length > 0 || revocation === 'ifAvailable') return null;
  return {
    reason: 'revoked',
    detail: `no valid revocation list of ${nameText(issuer.subject)} is there to check ${whose} by`,
  };
}

function isSameCertificate(a: Certificate, b: Certificate): boolean {
  return sameBytes(a.whole, b.whole);
}
