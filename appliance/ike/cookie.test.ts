import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../lib/bytes.ts';
import { CookieJar } from './cookie.ts';

const claim = {
  nonce: new Uint8Array(32).fill(1),
  from: { address: '192.0.2.1', port: 500 },
  spiInitiator: new Uint8Array(8).fill(2),
};
let draws = 0;
const at = (now: number) => ({
  now,
  random: (length: number) => {
    draws += 1;
    return new Uint8Array(length).fill(draws);
  },
});

test('a cookie is right for the initiator that it was made for, and for nobody else', () => {
  const jar = new CookieJar();
  const cookie = jar.make(claim, at(0));
  assert.ok(cookie.length <= 64);
  assert.ok(jar.isRight(cookie, claim, at(1)));
  const others = [
    { ...claim, nonce: new Uint8Array(32) },
    { ...claim, from: { ...claim.from, address: '192.0.2.2' } },
    { ...claim, from: { ...claim.from, port: 501 } },
    { ...claim, spiInitiator: new Uint8Array(8) },
  ];
  for (const other of others) assert.ok(!jar.isRight(cookie, other, at(1)));
  for (const wrong of [new Uint8Array(), cookie.subarray(1), cookie.map((octet, i) => (i === 9 ? octet ^ 1 : octet))]) {
    assert.ok(!jar.isRight(wrong, claim, at(1)));
  }
});

test('the previous secret is accepted for a while, the one before it is not', () => {
  const jar = new CookieJar();
  const cookie = jar.make(claim, at(0));
  assert.ok(jar.isRight(cookie, claim, at(61_000)));
  assert.ok(!jar.isRight(cookie, claim, at(125_000)));
  assert.ok(jar.isRight(jar.make(claim, at(125_000)), claim, at(125_001)));
});

test('the same octets as the data plane makes, which answers in our place (native/ike_gate_test.cc)', () => {
  const env = { now: 0, random: (length: number) => new Uint8Array(length).fill(1) };
  const home = {
    nonce: new Uint8Array(16).fill(0xaa),
    from: { address: '192.0.2.9', port: 500 },
    spiInitiator: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  };
  const cookie = (from: typeof home.from) => hex(new CookieJar().make({ ...home, from }, env));
  assert.equal(cookie(home.from), '0125b069ad1efeef215e67878b3cbd8489d3b63831ccbfa9d0fafea5788ebf15e2');
  const six = '0197d4570ec9729af1ea4869561f0c0a17dc94f1a0d2e85dcb1f34621243847730';
  assert.equal(cookie({ address: '2001:db8::9', port: 4500 }), six);
});
