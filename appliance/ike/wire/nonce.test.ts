import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, Reader } from '../../lib/bytes.ts';
import { decodeNonce } from './nonce.ts';

test('a nonce has 16 to 256 octets', () => {
  for (const length of [16, 32, 256]) assert.equal(decodeNonce(new Reader(new Uint8Array(length))).length, length);
  for (const length of [0, 1, 15, 257]) {
    assert.throws(() => decodeNonce(new Reader(new Uint8Array(length))), DecodeError, `${length}`);
  }
});
