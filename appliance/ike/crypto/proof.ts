import { createPrivateKey, createPublicKey, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import { concat, fromHex, sameBytes } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import type { LocalAuth, Prf, RemoteAuth } from '../api.ts';
import { authMethods } from '../numbers.ts';
import type { Authentication } from '../wire/authentication.ts';
import { decodeCertificate } from '../x509/certificate.ts';
import { decodeSignature, encodeSignature, isSignedBy, signWith } from '../x509/signature.ts';
import { prfOf } from './prf.ts';
import { rawPrivateKey, rawPublicKey } from './raw-key.ts';

/** RFC 7427 3: length of the AlgorithmIdentifier, then id-Ed25519 without parameters (RFC 8420 appendix A). */
const ed25519Algorithm = fromHex('07' + '300506032b6570');
const keyPad = new Uint8Array(Buffer.from('Key Pad for IKEv2', 'ascii'));

/** What one side signs, RFC 7296 2.15. */
export interface SignedOctets {
  readonly prf: Prf;
  /** The side's own IKE_SA_INIT message, exactly as it was sent. */
  readonly message: Uint8Array;
  /** The other side's nonce. */
  readonly nonce: Uint8Array;
  /** SK_pi or SK_pr of the side that signs. */
  readonly key: Secret;
  /** Body of its ID payload. */
  readonly identification: Uint8Array;
  /** What IKE_INTERMEDIATE adds (RFC 9242 3.3.2); empty without. */
  readonly intAuth: Uint8Array;
}

function octetsOf(signed: SignedOctets): Uint8Array {
  const maced = prfOf(signed.prf, signed.key.reveal(), signed.identification);
  return concat(signed.message, signed.nonce, maced, signed.intAuth);
}

function sharedKeyProof(secret: Secret, signed: SignedOctets): Uint8Array {
  const padded = prfOf(signed.prf, secret.reveal(), keyPad);
  return prfOf(signed.prf, padded, octetsOf(signed));
}

/** RFC 5723 5.1: who takes up an IKE SA again has its keys, and needs no other proof. */
export const resumedAuth = { kind: 'resumed' } as const;
type Resumed = typeof resumedAuth;

function resumedProof(signed: SignedOctets): Uint8Array {
  return prfOf(signed.prf, signed.key.reveal(), octetsOf(signed));
}

/** Our own key signs every handshake; to read it anew each time costs as much as the signature. */
const signingKeys = new WeakMap<Secret, KeyObject>();

function signingKey(seed: Secret): KeyObject {
  const known = signingKeys.get(seed);
  if (known) return known;
  const key = rawPrivateKey('ed25519', seed.reveal());
  signingKeys.set(seed, key);
  return key;
}

function certificateKey(pkcs8: Secret): KeyObject {
  const known = signingKeys.get(pkcs8);
  if (known) return known;
  const key = createPrivateKey({ key: Buffer.from(pkcs8.reveal()), format: 'der', type: 'pkcs8' });
  signingKeys.set(pkcs8, key);
  return key;
}

/** A peer that does not speak RFC 7427 knows ECDSA by a method for each curve (RFC 4754), the signature as r | s. */
const ecdsaMethods = [
  { curve: 'prime256v1', hash: 'sha256', method: authMethods.ecdsaP256 },
  { curve: 'secp384r1', hash: 'sha384', method: authMethods.ecdsaP384 },
  { curve: 'secp521r1', hash: 'sha512', method: authMethods.ecdsaP521 },
] as const;
const dsaEncoding = 'ieee-p1363';

function proveByCertificate(key: KeyObject, octets: Uint8Array, peerHashes: readonly number[]): Authentication | null {
  const signature = signWith(key, octets, peerHashes);
  if (signature !== null) return { method: authMethods.digitalSignature, data: encodeSignature(signature) };
  const old = ecdsaMethods.find(({ curve }) => curve === key.asymmetricKeyDetails?.namedCurve);
  if (old === undefined || peerHashes.length > 0) return null;
  return { method: old.method, data: new Uint8Array(sign(old.hash, octets, { key, dsaEncoding })) };
}

/** The certificate of which the proof is to be by. False for whatever is wrong; whether it is trusted is another matter. */
function provesByCertificate(leaf: Uint8Array | undefined, proof: Authentication, octets: Uint8Array): boolean {
  if (leaf === undefined) return false;
  try {
    const { publicKey } = decodeCertificate(leaf);
    if (proof.method === authMethods.digitalSignature) {
      return isSignedBy({ ...decodeSignature(proof.data), tbs: octets }, publicKey);
    }
    const old = ecdsaMethods.find(({ method }) => method === proof.method);
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    if (old === undefined || key.asymmetricKeyDetails?.namedCurve !== old.curve) return false;
    return verify(old.hash, octets, { key, dsaEncoding }, proof.data);
  } catch {
    return false; // octets that are no certificate or no key
  }
}

/** Null when our key can sign nothing that the peer can read: see `signatureHashes` of the channel. */
export function prove(
  auth: LocalAuth | Resumed,
  signed: SignedOctets,
  peerHashes: readonly number[],
): Authentication | null {
  if (auth.kind === 'psk') return { method: authMethods.sharedKey, data: sharedKeyProof(auth.secret, signed) };
  if (auth.kind === 'resumed') return { method: authMethods.sharedKey, data: resumedProof(signed) };
  if (auth.kind === 'x509') return proveByCertificate(certificateKey(auth.privateKey), octetsOf(signed), peerHashes);
  const signature = new Uint8Array(sign(null, octetsOf(signed), signingKey(auth.privateKey)));
  return { method: authMethods.digitalSignature, data: concat(ed25519Algorithm, signature) };
}

/** True only for a proof that fits; every kind of wrong proof is just false. `certificates` are those that came along. */
export function proves(
  auth: RemoteAuth | Resumed,
  proof: Authentication,
  signed: SignedOctets,
  certificates: readonly Uint8Array[] = [],
): boolean {
  if (auth.kind === 'x509') return provesByCertificate(certificates[0], proof, octetsOf(signed));
  if (auth.kind === 'psk' || auth.kind === 'resumed') {
    const expected = auth.kind === 'psk' ? sharedKeyProof(auth.secret, signed) : resumedProof(signed);
    const right = proof.method === authMethods.sharedKey && proof.data.length === expected.length;
    return right && timingSafeEqual(proof.data, expected);
  }
  const signature = proof.data.subarray(ed25519Algorithm.length);
  const algorithm = proof.data.subarray(0, ed25519Algorithm.length);
  if (proof.method !== authMethods.digitalSignature || signature.length !== 64) return false;
  if (!sameBytes(algorithm, ed25519Algorithm)) return false;
  try {
    const key = rawPublicKey('ed25519', auth.publicKey);
    return verify(null, octetsOf(signed), key, signature) === true;
  } catch {
    return false; // octets that are no key
  }
}

/**
 * Checked for strangers, whatever comes of it, so that refusing one takes as long as refusing a known peer.
 * The public key of RFC 8032 7.1, test 1.
 */
export const strangersKey: RemoteAuth = {
  kind: 'ed25519',
  publicKey: fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
};
