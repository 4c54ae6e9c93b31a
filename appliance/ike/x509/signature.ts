import { constants, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { concat, fromHex, hex } from '../../lib/bytes.ts';
import { hashAlgorithms } from '../numbers.ts';

/*
 * Signatures by their AlgorithmIdentifier: those of certificates and revocation lists (RFC 4055, 5758, 8410), and of AUTH
 * (RFC 7427), which are the same octets. No SHA-1, and RSA by PKCS #1 v1.5 is only ever verified.
 */

type Hash = 'sha256' | 'sha384' | 'sha512';

interface Algorithm {
  readonly key: 'rsa' | 'ec' | 'ed25519';
  readonly hash: Hash | null;
  readonly pss: boolean;
}

const hashes = [
  { hash: 'sha256', oid: '608648016503040201', length: 32, rsa: '0b', ec: '02' },
  { hash: 'sha384', oid: '608648016503040202', length: 48, rsa: '0c', ec: '03' },
  { hash: 'sha512', oid: '608648016503040203', length: 64, rsa: '0d', ec: '04' },
] as const;

function tlv(tag: string, ...content: readonly string[]): string {
  const body = content.join('');
  return `${tag}${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
}

/** RFC 4055 3.1: the hash's parameters are NULL or left out, and readers take both; the salt is as long as the hash. */
function pssIdentifier(oid: string, length: number, nullText: string): string {
  const hash = tlv('30', tlv('06', oid), nullText);
  const mask = tlv('30', tlv('06', '2a864886f70d010108'), hash);
  const salt = tlv('02', length.toString(16));
  return tlv('30', tlv('06', '2a864886f70d01010a'), tlv('30', tlv('a0', hash), tlv('a1', mask), tlv('a2', salt)));
}

const ed25519 = tlv('30', tlv('06', '2b6570'));
const byIdentifier = new Map<string, Algorithm>([[ed25519, { key: 'ed25519', hash: null, pss: false }]]);
for (const { hash, oid, length, rsa, ec } of hashes) {
  byIdentifier.set(tlv('30', tlv('06', `2a864886f70d0101${rsa}`), '0500'), { key: 'rsa', hash, pss: false });
  byIdentifier.set(tlv('30', tlv('06', `2a8648ce3d0403${ec}`)), { key: 'ec', hash, pss: false });
  for (const nullText of ['0500', '']) {
    byIdentifier.set(pssIdentifier(oid, length, nullText), { key: 'rsa', hash, pss: true });
  }
}

/** Keys that are worth a signature: RSA from 2048 bits on, the NIST curves, Ed25519. */
function isStrong(key: KeyObject, kind: Algorithm['key']): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (kind === 'ec')
    return type === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '');
  if (kind === 'ed25519') return type === 'ed25519';
  const bits = details?.modulusLength ?? 0;
  return (type === 'rsa' || type === 'rsa-pss') && bits >= 2048 && bits <= 16_384;
}

const pssOptions = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

export interface Signed {
  readonly algorithm: Uint8Array;
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
}

/** `publicKey`: SubjectPublicKeyInfo. False for whatever is wrong: algorithm, key or signature. */
export function isSignedBy({ algorithm, tbs, signature }: Signed, publicKey: Uint8Array): boolean {
  const known = byIdentifier.get(hex(algorithm));
  if (known === undefined) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    if (!isStrong(key, known.key)) return false;
    return verify(known.hash, tbs, known.pss ? { key, ...pssOptions } : key, signature);
  } catch {
    return false; // octets that are no key, or an RSA-PSS key with other parameters
  }
}

/** The hash for a key of ours: what fits its strength, if the peer can it. Null: the peer knows none that the key can use. */
function hashFor(key: KeyObject, peerHashes: readonly number[]): Hash | null {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const first: Hash = curve === 'secp384r1' ? 'sha384' : curve === 'secp521r1' ? 'sha512' : 'sha256';
  // With ECDSA the hash goes with the curve (RFC 8247 3.2); RSA takes any.
  const wanted: Hash[] = key.asymmetricKeyType === 'ec' ? [first] : ['sha256', 'sha384', 'sha512'];
  return wanted.find((hash) => peerHashes.includes(hashAlgorithms[hash])) ?? null;
}

export type Signature = Pick<Signed, 'algorithm' | 'signature'>;

/** Null when the peer knows no hash that the key can be used with (RFC 7427 4). */
export function signWith(key: KeyObject, octets: Uint8Array, peerHashes: readonly number[]): Signature | null {
  if (key.asymmetricKeyType === 'ed25519') {
    if (!peerHashes.includes(hashAlgorithms.identity)) return null;
    return { algorithm: fromHex(ed25519), signature: new Uint8Array(sign(null, octets, key)) };
  }
  const hash = hashFor(key, peerHashes);
  const row = hashes.find((each) => each.hash === hash);
  if (row === undefined) return null;
  if (key.asymmetricKeyType === 'ec') {
    const algorithm = fromHex(tlv('30', tlv('06', `2a8648ce3d0403${row.ec}`)));
    return { algorithm, signature: new Uint8Array(sign(hash, octets, key)) };
  }
  const algorithm = fromHex(pssIdentifier(row.oid, row.length, '0500'));
  return { algorithm, signature: new Uint8Array(sign(hash, octets, { key, ...pssOptions })) };
}

/** RFC 7427 3: the length of the AlgorithmIdentifier, itself, the signature. */
export function encodeSignature({ algorithm, signature }: Signature): Uint8Array {
  return concat(Uint8Array.of(algorithm.length), algorithm, signature);
}

export function decodeSignature(data: Uint8Array): Signature {
  const length = data[0] ?? 0;
  return { algorithm: data.subarray(1, 1 + length), signature: data.subarray(1 + length) };
}
