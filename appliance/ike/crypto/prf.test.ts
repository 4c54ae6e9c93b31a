import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, hex } from '../../lib/bytes.ts';
import { prfOf, prfPlus } from './prf.ts';

test('the PRFs are HMACs (RFC 4231 4.3, test case 2)', () => {
  const key = new Uint8Array(Buffer.from('Jefe'));
  const data = new Uint8Array(Buffer.from('what do ya want for nothing?'));
  assert.equal(
    hex(prfOf('hmac-sha2-256', key, data)),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  assert.equal(
    hex(prfOf('hmac-sha2-384', key, data.subarray(0, 5), data.subarray(5))),
    'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
  );
});

test('prf+ is the expansion of HKDF (RFC 5869 A.1)', () => {
  const key = fromHex('077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5');
  const stream = prfPlus('hmac-sha2-256', key, { seed: [fromHex('f0f1f2f3f4f5f6f7f8f9')], length: 42 });
  assert.equal(hex(stream), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
});
