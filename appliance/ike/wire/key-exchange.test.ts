import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeKeyExchange, encodeKeyExchange } from './key-exchange.ts';

test('a key exchange is a group, two reserved octets and the value', () => {
  const octets = fromHex('001f' + 'ffff' + 'aabb');
  assert.deepEqual(decodeKeyExchange(new Reader(octets)), { group: 31, data: fromHex('aabb') });
  assert.deepEqual(encodeKeyExchange({ group: 31, data: fromHex('aabb') }), fromHex('001f0000aabb'));
  assert.throws(() => decodeKeyExchange(new Reader(fromHex('001f00'))), DecodeError);
});
