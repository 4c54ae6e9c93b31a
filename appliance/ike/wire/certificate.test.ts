import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { authorityHashes, decodeCertificateData, encodeCertificateData } from './certificate.ts';

test('a certificate is its encoding and the octets', () => {
  assert.deepEqual(decodeCertificateData(new Reader(fromHex('04' + '3000'))), { encoding: 4, data: fromHex('3000') });
  assert.deepEqual(encodeCertificateData({ encoding: 12, data: fromHex('ff') }), fromHex('0cff'));
  assert.equal(decodeCertificateData(new Reader(fromHex('04'))).data.length, 0);
  assert.throws(() => decodeCertificateData(new Reader(new Uint8Array())), DecodeError);
});

test('what is asked for are hashes of 20 octets, one after the other', () => {
  const hashes = [new Uint8Array(20).fill(1), new Uint8Array(20).fill(2)];
  assert.deepEqual(authorityHashes(hashes), fromHex('01'.repeat(20) + '02'.repeat(20)));
  assert.throws(() => authorityHashes([new Uint8Array(19)]), DecodeError);
});
