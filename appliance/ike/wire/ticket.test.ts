import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex } from '../../lib/bytes.ts';
import { decodeGrantedTicket, encodeGrantedTicket } from './ticket.ts';

test('a ticket comes with the seconds that it is good for', () => {
  const granted = { lifetimeSeconds: 300, ticket: fromHex('aabb') };
  assert.deepEqual(encodeGrantedTicket(granted), fromHex('0000012c' + 'aabb'));
  assert.deepEqual(decodeGrantedTicket(fromHex('0000012c' + 'aabb')), granted);
});

test('none, and one that no datagram could carry, are refused', () => {
  for (const octets of [fromHex('0000012c'), fromHex('000001'), new Uint8Array(2_000)]) {
    assert.throws(() => decodeGrantedTicket(octets), DecodeError);
  }
});
