import { DecodeError, hex } from '../../lib/bytes.ts';
import { formatIp } from '../../lib/ip.ts';
import type { Identity } from '../api.ts';
import { type Identification, identityOf } from '../wire/identification.ts';
import { type Certificate, decodeCertificate } from './certificate.ts';
import { decodeRevocationList, type RevocationList } from './crl.ts';
import { nameKey, nameText } from './name.ts';
import { checkChain, day, maxIntermediates, type Refusal } from './path.ts';
import { isSignedBy } from './signature.ts';

/* Whom a peer's certificate must come from, and what its authorities have said since. */

export interface TrustOptions {
  /** DER. Authorities, or the very certificate of the peer. */
  readonly authorities: readonly Uint8Array[];
  readonly revocation: 'ifAvailable' | 'required';
}

/** The one thing of a peer that changes by itself: revocation lists come and go while it is up. */
export class Trust {
  readonly authorities: readonly Certificate[];
  readonly #revocation: TrustOptions['revocation'];
  #lists: readonly RevocationList[] = [];

  /** @throws {DecodeError} for octets that are no certificate. */
  constructor({ authorities, revocation }: TrustOptions) {
    this.authorities = authorities.map(decodeCertificate);
    this.#revocation = revocation;
  }

  /** In place of those before. What cannot be read is left out; gives how many that were. */
  setRevocationLists(lists: readonly Uint8Array[]): number {
    const read = lists.flatMap((bytes) => readOrNothing(bytes, decodeRevocationList));
    this.#lists = read;
    return lists.length - read.length;
  }

  /** Whether a list says to be of one of our authorities, and is not. Of those in between nothing is known before they are shown. */
  isForged(list: RevocationList): boolean {
    const named = this.authorities.filter(({ subject }) => nameKey(subject) === nameKey(list.issuer));
    return named.length > 0 && !named.some(({ publicKey }) => isSignedBy(list, publicKey));
  }

  /** Null: the first certificate is good and belongs to that identity. `at`: milliseconds since 1970. */
  judge(chain: readonly Uint8Array[], identification: Identification, at: number): Refusal | null {
    const [leaf, ...intermediates] = chain
      .slice(0, 1 + maxIntermediates)
      .flatMap((bytes) => readOrNothing(bytes, decodeCertificate));
    if (leaf === undefined) return { reason: 'untrusted', detail: 'the peer sent no certificate that can be read' };
    if (!belongsTo(leaf, identification)) {
      const detail = `the certificate of ${nameText(leaf.subject)} is not for the identity that the peer claims`;
      return { reason: 'name', detail };
    }
    const trusted = { anchors: this.authorities, lists: this.#lists, revocation: this.#revocation };
    return checkChain({ leaf, intermediates }, trusted, at);
  }

  /** The same authorities and rules, whatever lists have come since. */
  isSame(other: Trust): boolean {
    const octets = (trust: Trust) => trust.authorities.map(({ whole }) => hex(whole)).join();
    return octets(this) === octets(other) && this.#revocation === other.#revocation;
  }
}

function readOrNothing<To>(bytes: Uint8Array, decode: (bytes: Uint8Array) => To): To[] {
  try {
    return [decode(bytes)];
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}

/** RFC 4945 3.1: the identity must stand in the certificate, as its subject or among its alternative names. */
function belongsTo({ subject, extensions }: Certificate, identification: Identification): boolean {
  const identity = identityOf(identification);
  if (identity === null) return false;
  const { names, subjectKeyId } = extensions;
  switch (identity.kind) {
    case 'dn': {
      const wanted = nameKey(identification.body.subarray(4));
      return (
        nameKey(subject) === wanted || names.some((name) => name.kind === 'directory' && nameKey(name.value) === wanted)
      );
    }
    case 'fqdn':
      return names.some((name) => name.kind === 'dns' && sameText(name.value, identity));
    case 'rfc822':
      return names.some((name) => name.kind === 'email' && sameText(name.value, identity));
    case 'keyId':
      return subjectKeyId === identity.value;
    default:
      return names.some(
        (name) => name.kind === 'ip' && [4, 16].includes(name.value.length) && formatIp(name.value) === identity.value,
      );
  }
}

function sameText(name: string, { value }: Identity): boolean {
  return name.toLowerCase() === value.toLowerCase();
}

/** Why our own certificate will not be accepted today; null when it is within its time. */
export function ownCertificateProblem(chain: readonly Uint8Array[], at: number): string | null {
  const [leaf] = chain.slice(0, 1).map(decodeCertificate);
  if (leaf === undefined || (at >= leaf.notBefore && at <= leaf.notAfter)) return null;
  const what = at > leaf.notAfter ? `expired on ${day(leaf.notAfter)}` : `is not valid before ${day(leaf.notBefore)}`;
  return `our own certificate of ${nameText(leaf.subject)} ${what}, and it is ${day(at)} here`;
}
