import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../lib/secret.ts';
import { Clients, clientKeyOf } from './clients.ts';
import { readNotify } from './notify.ts';
import { soaRecord } from './testing.ts';
import { decodeMessage } from './wire/message.ts';
import { nameFromText } from './wire/name.ts';
import { Flag, Opcode, Rcode, Type } from './wire/numbers.ts';
import { signMessage } from './wire/tsig.ts';
import { MessageWriter } from './wire/writer.ts';

const now = 1_790_000_000;
const key = { name: nameFromText('k'), secret: new Secret(new Uint8Array(32).fill(1)) };
const origin = nameFromText('corp.example');
const zones = new Map([[origin, { primaries: [{ address: '10.9.0.1', key }] }]]);

function notify(serial?: number, name = 'corp.example'): Buffer {
  const writer = new MessageWriter(77, (Opcode.NOTIFY << 11) | Flag.AA);
  writer.question(nameFromText(name), Type.SOA, 1);
  if (serial !== undefined) writer.record(1, soaRecord('corp.example', serial));
  return writer.finish();
}

test('a NOTIFY from a primary, with and without the serial', () => {
  const notified = readNotify(notify(9), '10.9.0.1', zones, now);
  assert.deepEqual(notified?.zone, { origin, serial: 9 });
  const answer = decodeMessage(notified.answer);
  assert.equal(answer.id, 77);
  assert.equal(answer.flags, Flag.QR | Flag.AA | (Opcode.NOTIFY << 11));
  assert.deepEqual(readNotify(notify(), '10.9.0.1', zones, now)?.zone, { origin });
});

test('signed: from anywhere if right, from nowhere if wrong', () => {
  const good = signMessage(notify(9), key, now).bytes;
  const notified = readNotify(good, '203.0.113.1', zones, now);
  assert.deepEqual(notified?.zone, { origin, serial: 9 });
  assert.ok(decodeMessage(notified.answer).tsigAt, 'the answer is signed too');
  const bad = signMessage(notify(9), { ...key, secret: new Secret(new Uint8Array(32)) }, now).bytes;
  assert.equal(readNotify(bad, '203.0.113.1', zones, now), undefined);
  const refused = readNotify(bad, '10.9.0.1', zones, now);
  assert.equal(refused?.zone, undefined);
  assert.equal(decodeMessage(refused?.answer ?? Buffer.alloc(0)).flags & 15, Rcode.NOTAUTH);
});

test('strangers, other zones and garbage get no answer', () => {
  assert.equal(readNotify(notify(9), '10.9.0.2', zones, now), undefined);
  assert.equal(readNotify(notify(9, 'else.example'), '10.9.0.1', zones, now), undefined);
  assert.equal(readNotify(notify(9).subarray(0, 20), '10.9.0.1', zones, now), undefined);
});

test('clients: who may ask and how much', () => {
  const clients = new Clients([{ address: '192.168.77.0', length: 24 }], { perSecond: 10, burst: 3 });
  const asks = (now_: number) => clients.admit(clientKeyOf('192.168.77.5'), now_);
  assert.deepEqual([asks(0), asks(0), asks(0), asks(0)], ['yes', 'yes', 'yes', 'tooMuch']);
  assert.equal(clients.admit(clientKeyOf('192.168.77.6'), 0), 'yes', 'another client has its own bucket');
  assert.equal(asks(99), 'tooMuch');
  assert.equal(asks(100), 'yes');
  assert.equal(asks(100), 'tooMuch');
  assert.equal(clients.admit(clientKeyOf('10.0.0.1'), 0), 'stranger');
  for (let i = 0; i < 10_000; i += 1) clients.admit(clientKeyOf(`10.1.${i >> 8}.${i & 255}`), 0);
});
