import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHello, decodeWake, encodeHello, encodeWake } from './wake.ts';

const key = new Uint8Array(32).fill(7);
const ticket = new Uint8Array(16).map((_, index) => index);

test('a hello and a wake-up come back as they went', () => {
  const hello = decodeHello(encodeHello({ ticket, counter: 2 ** 48 - 1, number: 70_000_000_000 }, key));
  assert.deepEqual([[...(hello?.ticket ?? [])], hello?.counter, hello?.number], [[...ticket], 2 ** 48 - 1, 7e10]);
  assert.equal(hello?.holds(key), true);
  const wake = decodeWake(encodeWake({ counter: 3, number: 9 }, key));
  assert.deepEqual([wake?.counter, wake?.number, wake?.holds(key)], [3, 9, true]);
});

test('one octet changed anywhere, another key, another length: nothing is believed', () => {
  const good = encodeHello({ ticket, counter: 5, number: 6 }, key);
  for (let at = 0; at < good.length; at += 1) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    assert.ok(!decodeHello(bad)?.holds(key), `octet ${at}`);
  }
  assert.equal(decodeHello(good)?.holds(new Uint8Array(32)), false);
  assert.equal(decodeHello(good.subarray(1)), null);
  assert.equal(decodeHello(encodeWake({ counter: 5, number: 6 }, key)), null);
  assert.equal(decodeWake(new Uint8Array()), null);
});

test('an answer is smaller than its question', () => {
  assert.ok(
    encodeWake({ counter: 1, number: 1 }, key).length < encodeHello({ ticket, counter: 1, number: 1 }, key).length,
  );
});
