import assert from 'node:assert/strict';
import { test } from 'node:test';
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
