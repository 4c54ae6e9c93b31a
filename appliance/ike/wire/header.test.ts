import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, fromHex, Reader, Writer } from '../../lib/bytes.ts';
import { decodeHeader, encodeHeader, patchLength } from './header.ts';

const request = fromHex(
  '0102030405060708' + // initiator's SPI
    '1112131415161718' + // responder's SPI
    '2e' + // next payload: SK
    '20' + // version 2.0
    '23' + // IKE_AUTH
    '08' + // from the initiator, a request
    '00000001' + // message id
    '0000001c', // length
);

test('a header is what RFC 7296 3.1 draws', () => {
  const header = decodeHeader(new Reader(request));
  assert.deepEqual(header, {
    spiInitiator: fromHex('0102030405060708'),
    spiResponder: fromHex('1112131415161718'),
    fromInitiator: true,
    response: false,
    exchange: 35,
    messageId: 1,
    majorVersion: 2,
    nextPayload: 46,
    length: 28,
  });
  const writer = new Writer();
  encodeHeader(writer, header, 46);
  patchLength(writer, 28);
  assert.deepEqual(writer.finish(), request);
});

test('a response of the responder has one flag, and reserved ones are not looked at', () => {
  const flags = (octet: number) => decodeHeader(new Reader(request.map((each, i) => (i === 19 ? octet : each))));
  assert.deepEqual([flags(0x20).response, flags(0x20).fromInitiator], [true, false]);
  assert.deepEqual([flags(0xd7).response, flags(0xd7).fromInitiator], [false, false]);
});

test('too few octets, or a length below that of a header, are refused', () => {
  for (let length = 0; length < 28; length += 1) {
    assert.throws(() => decodeHeader(new Reader(request.subarray(0, length))), DecodeError);
  }
  const liar = request.map((each, i) => (i === 27 ? 27 : each));
  assert.throws(() => decodeHeader(new Reader(liar)), DecodeError);
});
