import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeDelete, encodeDelete } from './delete.ts';

test('a delete names SPIs of ESP, or the IKE SA by naming none', () => {
  const esp = { protocol: 3, spis: [0xc0ffee01, 0x100] };
  assert.deepEqual(encodeDelete(esp), fromHex('03040002' + 'c0ffee01' + '00000100'));
  assert.deepEqual(decodeDelete(new Reader(encodeDelete(esp))), esp);
  const ike = { protocol: 1, spis: [] };
  assert.deepEqual(encodeDelete(ike), fromHex('01000000'));
  assert.deepEqual(decodeDelete(new Reader(encodeDelete(ike))), ike);
});

test('counts and sizes that do not fit are refused', () => {
  for (const text of ['', '01000001', '01080000', '0308000100', '03040002c0ffee01', '03040001c0ffee0100']) {
    assert.throws(() => decodeDelete(new Reader(fromHex(text))), DecodeError, text);
  }
});
