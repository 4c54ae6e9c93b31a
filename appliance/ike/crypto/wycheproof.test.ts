import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concat, fromHex, hex } from '../../lib/bytes.ts';
import type { IkeCipher, KeyExchange } from '../api.ts';
import { isSignedBy } from '../x509/signature.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { encapsulateTo, generateKemKey } from './kem.ts';
import { generateKeyPair } from './key-exchange.ts';
import { prfOf, prfPlus } from './prf.ts';

/* Project Wycheproof's vectors, through the very functions that IKE uses. `acceptable` ones may come out either way. */

interface Vector {
  readonly tcId: number;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly flags?: readonly string[];
  /** Hexadecimal, all of them; which are there is the kind's matter. */
  readonly [field: string]: unknown;
}

const vectors = JSON.parse(readFileSync(new URL('vectors/wycheproof.json', import.meta.url), 'utf8'));
const octets = (vector: Vector, field: string) => fromHex(String(vector[field]));
const algorithms = {
  ed25519: '300506032b6570',
  p256: '300a06082a8648ce3d040302',
  p384: '300a06082a8648ce3d040303',
  // RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 octets: RFC 4055 3.1.
  pss: `3041${'06092a864886f70d01010a'}3034a00f${'300d06096086480165030402010500'}a11c301a${'06092a864886f70d010108'}${'300d06096086480165030402010500'}a203020120`,
};

function each(name: string, check: (vector: Vector) => void): void {
  const list: readonly Vector[] = vectors[name];
  test(`${name}: ${list.length} vectors`, () => {
    assert.ok(list.length >= 6);
    for (const vector of list) {
      try {
        check(vector);
      } catch (error) {
        throw new Error(`test case ${vector.tcId} (${vector.result} ${vector.flags})`, { cause: error });
      }
    }
  });
}

function agrees(vector: Vector, isRight: boolean): void {
  if (vector.result !== 'acceptable') assert.equal(isRight, vector.result === 'valid');
}

function aead(vector: Vector, cipher: IkeCipher): void {
  // Key and salt as KEYMAT yields them: the first four octets of the nonce are the salt (RFC 5282 4).
  const nonce = octets(vector, 'iv');
  const input = {
    key: concat(octets(vector, 'key'), nonce.subarray(0, 4)),
    iv: nonce.subarray(4),
    associated: octets(vector, 'aad'),
  };
  const sealed = concat(octets(vector, 'ct'), octets(vector, 'tag'));
  const plain = octets(vector, 'msg');
  const opened = aeadOpen(cipher, { ...input, data: sealed });
  agrees(vector, opened !== null && hex(opened) === hex(plain));
  if (vector.result === 'valid') assert.equal(hex(aeadSeal(cipher, { ...input, data: plain })), hex(sealed));
}

each('aesGcm', (vector) => aead(vector, String(vector.key).length === 64 ? 'aes-256-gcm-16' : 'aes-128-gcm-16'));
each('chacha20Poly1305', (vector) => aead(vector, 'chacha20-poly1305'));

function agree(method: KeyExchange, privateKey: Uint8Array, value: Uint8Array): string | null {
  const shared = generateKeyPair(method, () => privateKey.slice()).agree(value);
  return shared && hex(shared.reveal());
}

each('x25519', (vector) => {
  const shared = agree('x25519', octets(vector, 'private'), octets(vector, 'public'));
  // RFC 8031 2: a secret of zeros only is refused, which these vectors leave open.
  if (/^0+$/.test(String(vector.shared))) assert.equal(shared, null);
  else assert.equal(shared, vector.shared);
});

each('ecdhP256', (vector) => {
  const privateKey = octets(vector, 'private').subarray(-32);
  const value = octets(vector, 'public');
  // In IKE the point comes without the octet that says that it is not compressed (RFC 5903 7).
  if (value[0] !== 4 || privateKey.length !== 32) return;
  agrees(vector, agree('ecp256', privateKey, value.subarray(1)) === vector.shared);
});

function signature(vector: Vector, algorithm: string, publicKey: Uint8Array): void {
  const signed = { algorithm: fromHex(algorithm), tbs: octets(vector, 'msg'), signature: octets(vector, 'sig') };
  agrees(vector, isSignedBy(signed, publicKey));
}

each('ed25519', (vector) => signature(vector, algorithms.ed25519, octets(vector, 'key')));
each('ecdsaP256Sha256', (vector) => signature(vector, algorithms.p256, octets(vector, 'key')));
each('ecdsaP384Sha384', (vector) => signature(vector, algorithms.p384, octets(vector, 'key')));
each('rsaPss2048Sha256', (vector) => signature(vector, algorithms.pss, fromHex(vectors.rsaPss2048Sha256Key)));

for (const [name, prf] of [
  ['hmacSha256', 'hmac-sha2-256'],
  ['hmacSha384', 'hmac-sha2-384'],
] as const) {
  each(name, (vector) => agrees(vector, hex(prfOf(prf, octets(vector, 'key'), octets(vector, 'msg'))) === vector.tag));
}

/*
 * RFC 7296 2.13 and 2.14 are HKDF (RFC 5869) by other names: SKEYSEED = prf(Ni | Nr, g^ir) is its extraction, prf+ its expansion.
 */
for (const [name, prf] of [
  ['hkdfSha256', 'hmac-sha2-256'],
  ['hkdfSha384', 'hmac-sha2-384'],
] as const) {
  each(name, (vector) => {
    const length = Number(vector.size);
    if (vector.result === 'invalid') return; // more than 255 blocks, which nobody asks for
    const seed = prfOf(prf, octets(vector, 'salt'), octets(vector, 'ikm'));
    assert.equal(hex(prfPlus(prf, seed, { seed: [octets(vector, 'info')], length })), vector.okm);
  });
}

each('mlkem768', (vector) => {
  const seed = octets(vector, 'seed');
  if (seed.length !== 64) return;
  const key = generateKemKey(() => seed);
  const shared = key.decapsulate(octets(vector, 'c'));
  agrees(vector, hex(key.publicValue) === vector.ek && shared !== null && hex(shared.reveal()) === vector.K);
});

each('mlkem768Keygen', (vector) => {
  assert.equal(hex(generateKemKey(() => octets(vector, 'seed')).publicValue), vector.ek);
});

each('mlkem768Encaps', (vector) => {
  assert.equal(encapsulateTo(octets(vector, 'ek')) !== null, vector.result === 'valid');
});
