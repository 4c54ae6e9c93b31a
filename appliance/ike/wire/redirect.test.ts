import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, fromHex } from '../../lib/bytes.ts';
import { decodeRedirect, encodeRedirect } from './redirect.ts';

test('a redirect is the type, the length and the octets of a gateway, and perhaps a nonce', () => {
  const cases = [
    { redirect: { gateway: '192.0.2.9', nonce: fromHex('aabb') }, octets: '0104' + 'c0000209' + 'aabb' },
    { redirect: { gateway: '2001:db8::9', nonce: fromHex('') }, octets: '0210' + '20010db8000000000000000000000009' },
    { redirect: { gateway: 'gw.example', nonce: fromHex('') }, octets: '030a' + '67772e6578616d706c65' },
  ];
  for (const { redirect, octets } of cases) {
    assert.deepEqual(encodeRedirect(redirect), fromHex(octets));
    assert.deepEqual(decodeRedirect(fromHex(octets)), redirect);
  }
});

test('other types, lengths that do not fit and names that are none are refused', () => {
  for (const text of [
    '',
    '01',
    '0105c000020900',
    '0103c00002',
    '0204c0000209',
    '0404c0000209',
    '0300',
    '03022e2e',
    '030120',
    // 255 octets that are nearly a name: tried in all ways it would take years.
    `03ff${'61'.repeat(254)}21`,
    `0328${'61'.repeat(39)}21`,
  ]) {
    assert.throws(() => decodeRedirect(fromHex(text)), DecodeError, text);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      try {
        assert.ok(encodeRedirect(decodeRedirect(octets)).length === octets.length);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { seed: 1, numRuns: 2_000 },
  );
});
