import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { concat, fromHex, hex } from '../../lib/bytes.ts';
import { Secret } from '../../lib/secret.ts';
import type { LocalAuth, RemoteAuth } from '../api.ts';
import { prfOf } from './prf.ts';
import { prove, proves, type SignedOctets } from './proof.ts';

const seed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'); // RFC 8032 7.1, test 1
const pkcs8 = Buffer.from(concat(fromHex('302e020100300506032b657004220420'), seed));
const publicKey = new Uint8Array(
  createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
    .export({ format: 'der', type: 'spki' })
    .subarray(-32),
);

const signed: SignedOctets = {
  prf: 'hmac-sha2-256',
  message: fromHex('aabbcc'),
  nonce: new Uint8Array(32).fill(1),
  key: new Secret(new Uint8Array(32).fill(2)),
  identification: fromHex('02000000612e62'),
  intAuth: new Uint8Array(),
};
const psk = () => ({ kind: 'psk', secret: new Secret(new Uint8Array(Buffer.from('secret'))) }) as const;
const ed25519: { local: LocalAuth; remote: RemoteAuth } = {
  local: { kind: 'ed25519', privateKey: new Secret(seed) },
  remote: { kind: 'ed25519', publicKey },
};

const everyHash = [2, 3, 4, 5];
function proven(auth: LocalAuth) {
  const proof = prove(auth, signed, everyHash);
  assert.ok(proof);
  return proof;
}

test('a shared key proves itself by prf(prf(key, "Key Pad for IKEv2"), octets) (RFC 7296 2.15)', () => {
  const proof = proven(psk());
  const padded = prfOf('hmac-sha2-256', psk().secret.reveal(), new Uint8Array(Buffer.from('Key Pad for IKEv2')));
  const maced = prfOf('hmac-sha2-256', signed.key.reveal(), signed.identification);
  const expected = prfOf('hmac-sha2-256', padded, concat(signed.message, signed.nonce, maced));
  assert.deepEqual([proof.method, hex(proof.data)], [2, hex(expected)]);
  assert.ok(proves(psk(), proof, signed));
});

test('Ed25519 proves itself by a digital signature with its algorithm in front (RFC 7427 3, RFC 8420)', () => {
  const proof = proven(ed25519.local);
  assert.equal(proof.method, 14);
  assert.equal(hex(proof.data.subarray(0, 8)), '07300506032b6570');
  assert.equal(proof.data.length, 72);
  assert.ok(proves(ed25519.remote, proof, signed));
});

test('every part of what is signed matters', () => {
  const changes: Partial<SignedOctets>[] = [
    { message: fromHex('aabbcd') },
    { nonce: new Uint8Array(32) },
    { key: new Secret(new Uint8Array(32)) },
    { identification: fromHex('02000001612e62') },
    { prf: 'hmac-sha2-384' },
    { intAuth: new Uint8Array(1) },
  ];
  for (const change of changes) {
    const other = { ...signed, ...change };
    assert.ok(!proves(psk(), proven(psk()), other));
    assert.ok(!proves(ed25519.remote, proven(ed25519.local), other));
  }
});

test('a wrong proof is false, whatever is wrong with it', () => {
  const good = proven(ed25519.local);
  const wrong = [
    { method: 14, data: new Uint8Array() },
    { method: 14, data: good.data.subarray(0, 8) },
    { method: 14, data: good.data.subarray(0, 71) },
    { method: 14, data: concat(good.data, Uint8Array.of(0)) },
    { method: 14, data: new Uint8Array(72) },
    { method: 14, data: good.data.map((octet, i) => (i === 7 ? 0x71 : octet)) }, // Ed448
    { method: 14, data: good.data.map((octet, i) => (i === 40 ? octet ^ 1 : octet)) },
    { method: 2, data: good.data },
    { method: 1, data: good.data },
    proven(psk()),
  ];
  for (const proof of wrong) assert.ok(!proves(ed25519.remote, proof, signed), hex(proof.data));
  const keyless: RemoteAuth = { kind: 'ed25519', publicKey: new Uint8Array(5) };
  assert.ok(!proves(keyless, good, signed));
  assert.ok(!proves(psk(), good, signed));
  assert.ok(!proves(psk(), { method: 2, data: new Uint8Array() }, signed));
});
