import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeSelectors, encodeSelectors } from './traffic-selectors.ts';

const octets = fromHex(
  '02000000' + // two selectors
    '07060010' +
    '0050' +
    '0051' +
    'c0000200' +
    'c00002ff' + // TCP to ports 80 and 81 of 192.0.2.0/24
    '08000028' +
    '0000' +
    'ffff' +
    '20010db8'.padEnd(32, '0') +
    '20010db8'.padEnd(32, 'f'),
);

test('selectors are what RFC 7296 3.13 draws', () => {
  const selectors = [
    { startAddress: '192.0.2.0', endAddress: '192.0.2.255', protocol: 6, startPort: 80, endPort: 81 },
    {
      startAddress: '2001:db8::',
      endAddress: '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
      protocol: 0,
      startPort: 0,
      endPort: 65535,
    },
  ];
  assert.deepEqual(decodeSelectors(new Reader(octets)), selectors);
  assert.deepEqual(encodeSelectors(selectors), octets);
});

test('unknown types and OPAQUE ports are passed over', () => {
  const foreign = '0900000c' + '0102030405060708';
  const opaque = '07110010' + 'ffff' + '0000' + '00000000' + 'ffffffff';
  assert.deepEqual(decodeSelectors(new Reader(fromHex(`02000000${foreign}${opaque}`))), []);
});

test('what cannot be is refused', () => {
  const wrong = {
    'fewer than announced': '01000000',
    'length below its head': '01000000' + '07000003',
    'length of the other family': `01000000070000280000ffff${'00'.repeat(32)}`,
    'longer than its addresses': `01000000070000140000ffff${'00'.repeat(12)}`,
    'ends before it starts': '01000000' + '07000010' + '0000ffff' + 'c0000202' + 'c0000201',
    'ports end before they start': '01000000' + '07000010' + '00510050' + 'c0000201' + 'c0000201',
    'octets behind the last': '0000000000',
  };
  for (const [why, text] of Object.entries(wrong)) {
    assert.throws(() => decodeSelectors(new Reader(fromHex(text))), DecodeError, why);
  }
});
