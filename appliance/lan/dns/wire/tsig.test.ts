import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../../lib/bytes.ts';
import { Secret } from '../../../lib/secret.ts';
import { decodeMessage } from './message.ts';
import { nameFromText } from './name.ts';
import { decodeTsig, signMessage, type TsigKey, TsigVerifier, verifyRequest } from './tsig.ts';
import { MessageWriter } from './writer.ts';

const now = 1_790_000_000;
const key: TsigKey = { name: nameFromText('moat-home'), secret: new Secret(new Uint8Array(32).fill(7)) };
const other: TsigKey = { name: key.name, secret: new Secret(new Uint8Array(32).fill(8)) };

function message(id: number): Buffer {
  const writer = new MessageWriter(id, 0x8400);
  writer.question(nameFromText('corp.example'), 252, 1);
  return writer.finish();
}

const tsigAt = (bytes: Buffer) => decodeMessage(bytes).tsigAt;

test('a signed request verifies, and any changed octet does not', () => {
  const { bytes, mac } = signMessage(message(5), key, now);
  const at = tsigAt(bytes) ?? 0;
  assert.deepEqual(verifyRequest(bytes, at, key, now), { mac });
  for (let i = 0; i < at; i += 1) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    // Not the id, which is signed as its copy in the record (RFC 8945 5.3.2), nor the count by which TSIG was found.
    if (i < 2 || i === 10 || i === 11) continue;
    const verdict = verifyRequest(changed, at, key, now);
    assert.ok('problem' in verdict, `octet ${i}`);
  }
});

test('wrong key, wrong name, wrong time', () => {
  const { bytes } = signMessage(message(5), key, now);
  const at = tsigAt(bytes) ?? 0;
  const problem = (with_: TsigKey, seconds: number) => JSON.stringify(verifyRequest(bytes, at, with_, seconds));
  assert.match(problem(other, now), /wrong signature/);
  assert.match(problem({ ...key, name: nameFromText('else') }, now), /another key/);
  assert.match(problem(key, now + 301), /too far from our clock/);
  assert.match(problem(key, now - 300), /mac/);
});

test('a stream: signed, two unsigned, signed (RFC 8945 5.3.1)', async () => {
  const { createHmac } = await import('node:crypto');
  const request = signMessage(message(9), key, now);
  const verifier = new TsigVerifier(key, request.mac);
  const first = signMessage(message(9), key, now, request.mac);
  assert.equal(verifier.verify(first.bytes, tsigAt(first.bytes), now), undefined);
  assert.ok(verifier.complete);
  const unsigned = [message(9), message(9)];
  for (const each of unsigned) assert.equal(verifier.verify(each, undefined, now), undefined);
  assert.ok(!verifier.complete, 'the end must be signed');
  // The last one by hand: prior MAC, the unsigned ones, itself, time and fudge only.
  const last = message(9);
  const time = Buffer.concat([Buffer.from([0, 0]), Buffer.alloc(6)]);
  time.writeUIntBE(now, 0, 6);
  time.writeUInt16BE(300, 6);
  const prior = Buffer.from(first.mac, 'latin1');
  const digest = createHmac('sha256', Buffer.alloc(32, 7));
  for (const part of [Buffer.from([0, 32]), prior, ...unsigned, last, time]) digest.update(part);
  const shape = signMessage(last, key, now).bytes;
  const mac = decodeTsig(shape, tsigAt(shape) ?? 0).mac;
  const signed = Buffer.from(shape.toString('latin1').replace(mac, digest.digest().toString('latin1')), 'latin1');
  assert.equal(verifier.verify(signed, tsigAt(signed), now), undefined);
  assert.ok(verifier.complete);
});

test('a stream that starts unsigned, or stays unsigned for a hundred messages, is not believed', () => {
  const request = signMessage(message(9), key, now);
  assert.equal(new TsigVerifier(key, request.mac).verify(message(9), undefined, now), 'not signed');
  const verifier = new TsigVerifier(key, request.mac);
  const first = signMessage(message(9), key, now, request.mac).bytes;
  assert.equal(verifier.verify(first, tsigAt(first), now), undefined);
  for (let i = 0; i < 99; i += 1) assert.equal(verifier.verify(message(9), undefined, now), undefined);
  assert.match(verifier.verify(message(9), undefined, now) ?? '', /too many/);
});

test('an answer signed for another request is not believed', () => {
  const request = signMessage(message(9), key, now);
  const replayed = signMessage(message(9), key, now, Buffer.alloc(32).toString('latin1')).bytes;
  assert.equal(new TsigVerifier(key, request.mac).verify(replayed, tsigAt(replayed), now), 'a wrong signature');
});

test('an unsigned BADKEY says so (RFC 8945 5.2.1)', () => {
  const rdata = '0b686d61632d73686132353600 0000 6ab13b80 012c 0000 0009 0011 0000'.replaceAll(' ', '');
  const record =
    `096d6f61742d686f6d6500 00fa 00ff 00000000 ${(rdata.length / 2).toString(16).padStart(4, '0')}`.replaceAll(' ', '');
  const bytes = Buffer.concat([message(9), Buffer.from(fromHex(record + rdata))]);
  bytes.writeUInt16BE(1, 10);
  assert.match(new TsigVerifier(key, 'x').verify(bytes, tsigAt(bytes), now) ?? '', /BADKEY/);
});
