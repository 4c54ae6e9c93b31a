import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader } from '../../lib/bytes.ts';
import { decodeProposals, encodeProposals } from './proposal.ts';

const octets = fromHex(
  '00000024' + // last proposal, 36 octets
    '01030402' + // number 1, ESP, SPI of 4 octets, 2 transforms
    'c0ffee01' + // SPI
    '0300000c' + // a transform follows, 12 octets
    '01000014' + // ENCR, AES-GCM-16
    '800e0100' + // attribute in short format: key length 256
    '0000000c' + // last transform, 12 octets
    '05000000' + // ESN, none
    '800f0001', // an attribute that nobody knows
);

test('proposals are what RFC 7296 3.3 draws', () => {
  const proposals = decodeProposals(new Reader(octets));
  assert.deepEqual(proposals, [
    {
      number: 1,
      protocol: 3,
      spi: fromHex('c0ffee01'),
      transforms: [
        { type: 1, id: 20, keyLength: 256, strange: false },
        { type: 5, id: 0, keyLength: null, strange: true },
      ],
    },
  ]);
});

test('what is encoded has the right lengths and marks of the last', () => {
  const transform = { type: 1, id: 28, keyLength: null, strange: false };
  const proposal = { number: 1, protocol: 1, spi: new Uint8Array(), transforms: [transform] };
  const expected =
    '02000010' +
    '01010001' +
    '00000008' +
    '0100001c' + // more proposals follow
    '00000010' +
    '02010001' +
    '00000008' +
    '0100001c';
  assert.deepEqual(encodeProposals([proposal, { ...proposal, number: 2 }]), fromHex(expected));
});

test('lengths and counts that lie are refused', () => {
  const lies = {
    'fewer transforms than announced': '0000001001030003' + '00000008' + '0100001c',
    'more transforms than announced': '0000001801010001' + '00000008' + '0100001c' + '00000008' + '0100001c',
    'a proposal longer than the payload': '000000ff01010000',
    'a proposal shorter than its head': '00000003',
    'octets behind the last': '0000000801010000' + '00',
    'another mark than 0 or 2': '0100000801010000',
    nothing: '',
  };
  for (const [why, text] of Object.entries(lies)) {
    assert.throws(() => decodeProposals(new Reader(fromHex(text))), DecodeError, why);
  }
});

test('no more than 64 proposals are read', () => {
  const one = '0200000801010000';
  assert.throws(() => decodeProposals(new Reader(fromHex(one.repeat(70)))), /more than 64/);
});
