import { createPrivateKey, createPublicKey, decapsulate, encapsulate } from 'node:crypto';
import { concat, fromHex } from '../../lib/bytes.ts';
import type { Env } from '../../lib/env.ts';
import { joinSecret, ownedOctets, Secret } from '../../lib/secret.ts';
import { withoutStacks } from './raw-key.ts';

/*
 * ML-KEM-768 (FIPS 203) as an additional key exchange: the initiator sends an encapsulation key, the responder a
 * ciphertext. Encapsulation takes its chance from OpenSSL, the one thing in the core that `env.random` cannot replay;
 * no decision depends on it.
 */
const publicPrefix = fromHex('308204b2300b0609608648016503040402038204a100'); // SubjectPublicKeyInfo, RFC 9935
const seedPrefix = fromHex('3054020100300b060960864801650304040204428040'); // PKCS #8 with the seed only
const seedLength = 64;
const encapsulationKeyLength = 1184;
const ciphertextLength = 1088;

export interface KemKey {
  /** The encapsulation key, as it stands in the KE payload. */
  readonly publicValue: Uint8Array;
  /** Null for a ciphertext of the wrong length; a wrong one of the right length gives a secret that fits nothing. */
  decapsulate(ciphertext: Uint8Array): Secret | null;
}

export function generateKemKey(random: Env['random']): KemKey {
  const seed = random(seedLength);
  const encoded = Buffer.from(joinSecret(seedPrefix, seed).buffer);
  const privateKey = withoutStacks(() => createPrivateKey({ key: encoded, format: 'der', type: 'pkcs8' }));
  encoded.fill(0);
  seed.fill(0);
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicValue: new Uint8Array(spki.subarray(publicPrefix.length)),
    decapsulate: (ciphertext) =>
      ciphertext.length === ciphertextLength ? new Secret(ownedOctets(decapsulate(privateKey, ciphertext))) : null,
  };
}

/** Null for an encapsulation key that fails the check of FIPS 203 7.2. */
export function encapsulateTo(
  publicValue: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly shared: Secret } | null {
  if (publicValue.length !== encapsulationKeyLength) return null;
  try {
    const der = Buffer.from(concat(publicPrefix, publicValue));
    const key = withoutStacks(() => createPublicKey({ key: der, format: 'der', type: 'spki' }));
    const { sharedKey, ciphertext } = encapsulate(key);
    return { ciphertext: new Uint8Array(ciphertext), shared: new Secret(ownedOctets(sharedKey)) };
  } catch {
    return null;
  }
}
