import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeConfiguration, encodeConfiguration } from './configuration.ts';

test('a request names attributes, a reply gives them; the reserved bit is not looked at', () => {
  const request = {
    kind: 1,
    attributes: [
      { type: 1, value: new Uint8Array() },
      { type: 25, value: new Uint8Array() },
    ],
  };
  assert.deepEqual(encodeConfiguration(request), fromHex('01000000' + '00010000' + '00190000'));
  const reply = fromHex('02ffffff' + '80010004' + 'c0000201' + '00190003' + '612e62');
  assert.deepEqual(decodeConfiguration(new Reader(reply)), {
    kind: 2,
    attributes: [
      { type: 1, value: fromHex('c0000201') },
      { type: 25, value: fromHex('612e62') },
    ],
  });
});

test('lengths that do not fit are refused', () => {
  for (const text of [
    '',
    '010000',
    '0100000000',
    '01000000000100',
    '0200000000010003c00002',
    `02000000000800100${'0'.repeat(31)}`,
    '0200000000010005c000020100',
  ]) {
    assert.throws(() => decodeConfiguration(new Reader(fromHex(text))), DecodeError, text);
  }
  const many = fromHex(`01000000${'00190000'.repeat(300)}`);
  assert.throws(() => decodeConfiguration(new Reader(many)), /more than 256/);
});
