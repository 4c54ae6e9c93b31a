import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeIdentification, identificationOf, identityKey, identityOf, isIdentity } from './identification.ts';

test('every kind of identity comes back from its octets', () => {
  const cases = [
    { identity: { kind: 'fqdn', value: 'a.b' }, octets: '02000000' + '612e62' },
    { identity: { kind: 'rfc822', value: 'x@y' }, octets: '03000000' + '784079' },
    { identity: { kind: 'ipv4', value: '192.0.2.1' }, octets: '01000000' + 'c0000201' },
    { identity: { kind: 'ipv6', value: '2001:db8::1' }, octets: '05000000' + '20010db8000000000000000000000001' },
    { identity: { kind: 'keyId', value: '00ff' }, octets: '0b000000' + '00ff' },
  ] as const;
  for (const { identity, octets } of cases) {
    assert.deepEqual(identificationOf(identity).body, fromHex(octets));
    assert.deepEqual(identityOf(decodeIdentification(new Reader(fromHex(octets)))), identity);
  }
});

test('the reserved octets are kept, since AUTH covers them, and do not make another identity', () => {
  const odd = decodeIdentification(new Reader(fromHex('02a1b2c3' + '612e62')));
  assert.deepEqual(odd.body, fromHex('02a1b2c3612e62'));
  assert.ok(isIdentity(odd, { kind: 'fqdn', value: 'a.b' }));
  assert.equal(identityKey(odd), identityKey(identificationOf({ kind: 'fqdn', value: 'a.b' })));
});

test('an empty identity, a foreign type and a wrong address length are nobody', () => {
  for (const text of ['02000000', '09000000aa', '01000000c00002']) {
    assert.equal(identityOf(decodeIdentification(new Reader(fromHex(text)))), null, text);
  }
  assert.throws(() => decodeIdentification(new Reader(fromHex('0200'))), DecodeError);
});

test('the same octets under another type are another identity', () => {
  assert.ok(!isIdentity(identificationOf({ kind: 'rfc822', value: 'a.b' }), { kind: 'fqdn', value: 'a.b' }));
});
