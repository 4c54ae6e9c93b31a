import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hex } from '../../lib/bytes.ts';
import { hmac } from './hmac.ts';

test('a key longer than a block is hashed first (RFC 4231 4.7, test case 6)', () => {
  const key = new Uint8Array(131).fill(0xaa);
  const data = new Uint8Array(Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'));
  assert.equal(hex(hmac('sha256', key, data)), '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54');
  assert.equal(
    hex(hmac('sha384', key, data)),
    '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
  );
});

test('it is what OpenSSL makes of the same, whatever the lengths', () => {
  const octets = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.constantFrom('sha256', 'sha384'), octets, octets, octets, (name, key, first, second) => {
      const expected = createHmac(name, key).update(first).update(second).digest();
      assert.equal(hex(hmac(name, key, first, second)), hex(expected));
    }),
  );
});
