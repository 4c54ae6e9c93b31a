import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, hex } from '../../lib/bytes.ts';
import { Secret } from '../../lib/secret.ts';
import { childKeys, ikeKeys, rekeyedIkeKeys, wipeKeys } from './keys.ts';
import { prfOf, prfPlus } from './prf.ts';

const nonces = { initiator: new Uint8Array(16).fill(1), responder: new Uint8Array(16).fill(2) };
const spis = { initiator: new Uint8Array(8).fill(3), responder: new Uint8Array(8).fill(4) };
const suite = {
  cipher: 'aes-256-gcm-16',
  prf: 'hmac-sha2-256',
  keyExchange: 'x25519',
  additionalKeyExchange: null,
} as const;
const shared = () => new Secret(new Uint8Array(32).fill(5));

test('the keys of an IKE SA follow each other in the stream (RFC 7296 2.14)', () => {
  const keys = ikeKeys({ suite, nonces, spis, shared: shared(), additional: [] });
  const seed = prfOf('hmac-sha2-256', concat(nonces.initiator, nonces.responder), shared().reveal());
  const stream = prfPlus('hmac-sha2-256', seed, {
    seed: [nonces.initiator, nonces.responder, spis.initiator, spis.responder],
    length: 32 + 36 + 36 + 32 + 32,
  });
  const all = [keys.d, keys.ei, keys.er, keys.pi, keys.pr].map((secret) => hex(secret.reveal())).join('');
  assert.equal(all, hex(stream));
});

test('a rekey goes out from the old SK_d and the new shared secret (RFC 7296 2.18)', () => {
  const d = new Secret(new Uint8Array(48).fill(6));
  const keys = rekeyedIkeKeys({ suite, nonces, spis, shared: shared(), additional: [] }, { prf: 'hmac-sha2-384', d });
  const seed = prfOf('hmac-sha2-384', d.reveal(), shared().reveal(), nonces.initiator, nonces.responder);
  const first = prfPlus('hmac-sha2-256', seed, {
    seed: [nonces.initiator, nonces.responder, spis.initiator, spis.responder],
    length: 32,
  });
  assert.equal(hex(keys.d.reveal()), hex(first));
});

test('the keys of a child: first from the initiator, then to it (RFC 7296 2.17)', () => {
  const d = new Secret(new Uint8Array(32).fill(7));
  for (const secret of [shared(), null]) {
    const extra = secret?.reveal().slice() ?? new Uint8Array();
    const keys = childKeys({
      prf: 'hmac-sha2-256',
      d,
      cipher: 'aes-128-gcm-16',
      nonces,
      shared: secret,
      additional: [],
    });
    const seed = concat(extra, nonces.initiator, nonces.responder);
    const keymat = prfPlus('hmac-sha2-256', d.reveal(), { seed: [seed], length: 40 });
    assert.equal(hex(keys.initiator.reveal()) + hex(keys.responder.reveal()), hex(keymat));
  }
});

test('the shared secret is wiped once used, the keys when the SA goes', () => {
  const secret = shared();
  const keys = ikeKeys({ suite, nonces, spis, shared: secret, additional: [] });
  assert.ok(secret.reveal().every((octet) => octet === 0));
  wipeKeys(keys);
  for (const key of Object.values(keys)) assert.ok(key.reveal().every((octet: number) => octet === 0));
});

test('additional secrets follow the nonces (RFC 9370 2.2.4)', () => {
  const d = new Secret(new Uint8Array(32).fill(7));
  const extra = () => new Secret(new Uint8Array(32).fill(8));
  const input = { suite, nonces, spis, shared: shared(), additional: [extra()] };
  const keys = rekeyedIkeKeys(input, { prf: 'hmac-sha2-256', d });
  const parts = [shared().reveal(), nonces.initiator, nonces.responder, extra().reveal()];
  const seed = prfOf('hmac-sha2-256', d.reveal(), ...parts);
  const stream = { seed: [nonces.initiator, nonces.responder, spis.initiator, spis.responder], length: 32 };
  assert.equal(hex(keys.d.reveal()), hex(prfPlus('hmac-sha2-256', seed, stream)));

  const child = {
    prf: 'hmac-sha2-256',
    d,
    cipher: 'aes-128-gcm-16',
    nonces,
    shared: shared(),
    additional: [extra()],
  } as const;
  const keymat = prfPlus('hmac-sha2-256', d.reveal(), { seed: parts, length: 20 });
  assert.equal(hex(childKeys(child).initiator.reveal()), hex(keymat));
});
