import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { notifyOf } from './notify.ts';
import { decodePayloads, encodePayloads, find, notifies, type Payload } from './payloads.ts';

test('each payload names the type of the next, the last one 0', () => {
  const payloads: Payload[] = [
    { type: 'Nonce', body: new Uint8Array(16) },
    { type: 'N', body: notifyOf('INITIAL_CONTACT') },
  ];
  const expected = `29000014${'00'.repeat(16)}0000000800004000`;
  assert.deepEqual(encodePayloads(payloads), { first: 40, bytes: fromHex(expected) });
  assert.deepEqual(decodePayloads(40, new Reader(fromHex(expected))), payloads);
  assert.equal(find(payloads, 'KE'), null);
  assert.equal(notifies(payloads).length, 1);
});

test('unknown payloads are kept with their critical bit; the bit says nothing on known ones', () => {
  const chain = fromHex('29800004' + '00800008' + '00004000');
  assert.deepEqual(decodePayloads(200, new Reader(chain)), [
    { type: 'unknown', number: 200, critical: true },
    { type: 'N', body: notifyOf('INITIAL_CONTACT') },
  ]);
});

test('certificates and configuration are passed on unread', () => {
  const [eap] = decodePayloads(48, new Reader(fromHex('00000006' + '0cff')));
  assert.deepEqual(eap, { type: 'EAP', body: fromHex('0cff') });
});

test('a chain that is too short, too long or endless is refused', () => {
  for (const text of ['', '00', '00000003', '000000ff', '0000000400']) {
    assert.throws(() => decodePayloads(43, new Reader(fromHex(text))), DecodeError, text);
  }
  assert.throws(() => decodePayloads(43, new Reader(fromHex('2b000004'.repeat(200)))), /more than 100/);
});
