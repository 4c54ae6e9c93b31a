import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalIp, formatIp, lastAddress, parseIp, parsePrefix, prefixContains, selectorOf } from './ip.ts';

test('addresses come back in canonical form (RFC 5952 4)', () => {
  const canonical = {
    '10.0.0.1': '10.0.0.1',
    '2001:0DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1', // the first of two equal runs is shortened
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1', // a single zero group is not
    '0:0:0:0:0:0:0:0': '::',
    '::1': '::1',
    'fe80::': 'fe80::',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
  };
  for (const [text, expected] of Object.entries(canonical)) assert.equal(canonicalIp(text), expected);
});

test('what is no address is refused', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', '::ffff:10.0.0.1', 'fe80::1%eth0', 'moat']) {
    assert.throws(() => parseIp(text), TypeError, text);
  }
  assert.throws(() => formatIp(new Uint8Array(5)), TypeError);
});

test('networks', () => {
  assert.deepEqual(parsePrefix('10.1.0.0/16'), { address: '10.1.0.0', length: 16 });
  assert.equal(lastAddress(parsePrefix('10.1.0.0/16')), '10.1.255.255');
  assert.equal(lastAddress(parsePrefix('fd00:1::/32')), 'fd00:1:ffff:ffff:ffff:ffff:ffff:ffff');
  assert.equal(lastAddress(parsePrefix('0.0.0.0/0')), '255.255.255.255');
  assert.throws(() => parsePrefix('10.1.2.3/16'), /host bits set: the network is 10.1.0.0\/16/);
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/8/8', 'x/8', '10.0.0.0/ 8']) {
    assert.throws(() => parsePrefix(text), TypeError, text);
  }
  assert.ok(prefixContains(parsePrefix('10.1.0.0/16'), '10.1.255.1'));
  assert.ok(!prefixContains(parsePrefix('10.1.0.0/16'), '10.2.0.1'));
  assert.ok(!prefixContains(parsePrefix('0.0.0.0/0'), '::1'));
  assert.equal(selectorOf(parsePrefix('192.0.2.0/24')).endAddress, '192.0.2.255');
});
