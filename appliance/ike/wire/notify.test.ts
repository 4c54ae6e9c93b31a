import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeNotify, encodeNotify, isError, notifyAboutEsp, notifyOf } from './notify.ts';

test('a notify is protocol, SPI size, type, SPI and data', () => {
  const octets = fromHex('03' + '04' + '4009' + 'c0ffee01');
  assert.deepEqual(decodeNotify(new Reader(octets)), notifyAboutEsp('REKEY_SA', 0xc0ffee01));
  assert.deepEqual(encodeNotify(notifyAboutEsp('REKEY_SA', 0xc0ffee01)), octets);
  assert.deepEqual(encodeNotify(notifyOf('COOKIE', fromHex('aa'))), fromHex('00004006aa'));
});

test('types below 16384 are errors', () => {
  assert.ok(isError(notifyOf('NO_PROPOSAL_CHOSEN')));
  assert.ok(!isError(notifyOf('INITIAL_CONTACT')));
});

test('an SPI that is not there, or of an impossible size, is refused', () => {
  for (const text of ['', '0304400a', '03044009c0ffee', '0301400911', '00ff4009']) {
    assert.throws(() => decodeNotify(new Reader(fromHex(text))), DecodeError, text);
  }
});
