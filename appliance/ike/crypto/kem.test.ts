import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hex } from '../../lib/bytes.ts';
import { encapsulateTo, generateKemKey } from './kem.ts';

const fixed = (length: number) => new Uint8Array(length).map((_, i) => i);

test('what is encapsulated to a key comes out of it', () => {
  const key = generateKemKey(fixed);
  assert.equal(key.publicValue.length, 1184);
  const encapsulated = encapsulateTo(key.publicValue);
  assert.ok(encapsulated);
  assert.equal(encapsulated.ciphertext.length, 1088);
  const shared = key.decapsulate(encapsulated.ciphertext);
  assert.ok(shared);
  assert.equal(hex(shared.reveal()), hex(encapsulated.shared.reveal()));
});

test('the key follows from the seed alone', () => {
  const digest = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex');
  assert.equal(digest(generateKemKey(fixed).publicValue), digest(generateKemKey(fixed).publicValue));
});

test('keys and ciphertexts of a wrong length, and keys out of range, come to nothing', () => {
  const key = generateKemKey(fixed);
  for (const length of [0, 1087, 1089]) assert.equal(key.decapsulate(new Uint8Array(length)), null);
  for (const length of [0, 1183, 1185]) assert.equal(encapsulateTo(new Uint8Array(length)), null);
  assert.equal(encapsulateTo(new Uint8Array(1184).fill(255)), null); // coefficients not below q, FIPS 203 7.2
});

test('a wrong ciphertext gives another secret and no error', () => {
  const key = generateKemKey(fixed);
  const encapsulated = encapsulateTo(key.publicValue);
  assert.ok(encapsulated);
  const wrong = encapsulated.ciphertext.map((octet, i) => (i === 7 ? octet ^ 1 : octet));
  assert.notEqual(hex(key.decapsulate(wrong)?.reveal() ?? fixed(1)), hex(encapsulated.shared.reveal()));
});
