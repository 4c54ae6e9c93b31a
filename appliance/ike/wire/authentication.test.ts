import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeAuthentication, encodeAuthentication } from './authentication.ts';

test('an authentication is a method, three reserved octets and the data', () => {
  assert.deepEqual(decodeAuthentication(new Reader(fromHex('0effffffaa'))), { method: 14, data: fromHex('aa') });
  assert.deepEqual(encodeAuthentication({ method: 2, data: fromHex('bb') }), fromHex('02000000bb'));
  assert.deepEqual(decodeAuthentication(new Reader(fromHex('02000000'))).data.length, 0);
  assert.throws(() => decodeAuthentication(new Reader(fromHex('020000'))), DecodeError);
});
