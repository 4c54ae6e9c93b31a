import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, DecodeError, fromHex, hex, Reader } from '../../lib/bytes.ts';
import { Secret } from '../../lib/secret.ts';
import type { IkeCipher } from '../api.ts';
import { decodeHeader, type Header } from '../wire/header.ts';
import { notifyOf } from '../wire/notify.ts';
import { decodePayloads, type Payload } from '../wire/payloads.ts';
import { aeadOpen, aeadSeal } from './aead.ts';
import { Assembly } from './assembly.ts';
import { Opener, Sealer } from './sealed.ts';

test('ChaCha20-Poly1305 in an encrypted payload (RFC 7634 appendix B)', () => {
  const key = fromHex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3');
  const input = {
    key,
    iv: fromHex('1011121314151617'),
    associated: fromHex('c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029'),
    data: fromHex('0000000c000040010000000a00'),
  };
  const sealed = aeadSeal('chacha20-poly1305', input);
  assert.equal(hex(sealed), '610394701f8d017f7c12924889' + '6b71bfe25236efd7cdc67066906315b2');
  assert.deepEqual(aeadOpen('chacha20-poly1305', { ...input, data: sealed }), input.data);

  // The same as a whole message: INFORMATIONAL with SET_WINDOW_SIZE 10.
  const message = fromHex(`${hex(input.associated)}1011121314151617${hex(sealed)}`);
  const opened = new Opener('chacha20-poly1305', new Secret(key)).open(decodeHeader(new Reader(message)), message);
  assert.ok(typeof opened !== 'string');
  const [payload] = decodePayloads(opened.first, new Reader(opened.chain));
  assert.deepEqual(payload, { type: 'N', body: { ...notifyOf('SET_WINDOW_SIZE', fromHex('0000000a')) } });
});

const header: Header = {
  spiInitiator: new Uint8Array(8).fill(1),
  spiResponder: new Uint8Array(8).fill(2),
  fromInitiator: true,
  response: false,
  exchange: 37,
  messageId: 7,
};
const payloads: Payload[] = [{ type: 'N', body: notifyOf('COOKIE', new Uint8Array(20)) }];
const ciphers: Record<IkeCipher, number> = { 'aes-128-gcm-16': 20, 'aes-256-gcm-16': 36, 'chacha20-poly1305': 36 };

for (const [cipher, length] of Object.entries(ciphers) as [IkeCipher, number][]) {
  const secret = () => new Secret(new Uint8Array(length).fill(3));
  const open = (message: Uint8Array) => new Opener(cipher, secret()).open(decodeHeader(new Reader(message)), message);

  test(`${cipher}: what is sealed opens, and no IV comes twice`, () => {
    const sealer = new Sealer(cipher, secret());
    const messages = [...sealer.seal(header, payloads), ...sealer.seal(header, payloads)];
    for (const message of messages) {
      const opened = open(message);
      assert.ok(typeof opened !== 'string');
      assert.deepEqual(decodePayloads(opened.first, new Reader(opened.chain)), payloads);
    }
    const ivs = messages.map((message) => hex(message.subarray(32, 40)));
    assert.deepEqual(ivs, ['0000000000000000', '0000000000000001']);
  });

  test(`${cipher}: any octet changed, cut or added is noticed`, () => {
    const [message] = new Sealer(cipher, secret()).seal(header, payloads);
    assert.ok(message);
    const isNoticed = (changed: Uint8Array) => {
      try {
        return open(changed) === 'forged';
      } catch (error) {
        return error instanceof DecodeError;
      }
    };
    for (let at = 0; at < message.length; at += 1) {
      const changed = message.map((octet, i) => (i === at ? octet ^ 1 : octet));
      assert.ok(isNoticed(changed), `octet ${at}`);
      assert.ok(isNoticed(message.subarray(0, at)), `cut at ${at}`);
    }
  });
}

test('an empty message is one octet of pad length', () => {
  const [message] = new Sealer('aes-256-gcm-16', new Secret(new Uint8Array(36))).seal(header, []);
  assert.equal(message?.length, 28 + 4 + 8 + 1 + 16);
});

const sealer = () => new Sealer('aes-256-gcm-16', new Secret(new Uint8Array(36)));
const big: Payload[] = [
  { type: 'Nonce', body: new Uint8Array(200).map((_, i) => i) },
  { type: 'V', body: new Uint8Array(500) },
];

function fragmentsOf(limit: number): Uint8Array[] {
  return sealer().seal(header, big, limit);
}

function feed(fragments: readonly Uint8Array[], opener = new Opener('aes-256-gcm-16', new Secret(new Uint8Array(36)))) {
  return fragments.map((each) => opener.open(decodeHeader(new Reader(each)), each)).at(-1);
}

test('fragments are no longer than the limit, carry their place, and only the first says what is in it', () => {
  const fragments = fragmentsOf(300);
  assert.deepEqual(
    fragments.map((each) => [each.length <= 300, each[16], each[28], hex(each.subarray(32, 36))]),
    [
      [true, 53, 40, '00010003'],
      [true, 53, 0, '00020003'],
      [true, 53, 0, '00030003'],
    ],
  );
});

test('fragments in any order, some twice, make one message', () => {
  const [a, b, c] = fragmentsOf(300);
  assert.ok(a && b && c);
  for (const order of [
    [a, b, c],
    [c, b, a],
    [b, b, c, c, a],
    [c, a, a, b],
  ]) {
    const whole = feed(order);
    assert.ok(typeof whole === 'object');
    assert.deepEqual(decodePayloads(whole.first, new Reader(whole.chain)), big);
    assert.equal(whole.bytes, a);
  }
  assert.equal(feed([a, b]), 'incomplete');
});

test('more pieces restart the message, fewer are passed over, and pieces of two messages never meet', () => {
  const [coarse, fine] = [fragmentsOf(500), fragmentsOf(300)];
  const [coarseFirst, fineFirst] = [coarse.slice(0, 1), fine.slice(0, 1)];
  assert.equal(typeof feed([...coarseFirst, ...fine]), 'object');
  assert.equal(feed([...fineFirst, ...coarse]), 'incomplete');
  const other = sealer().seal({ ...header, messageId: 8 }, big, 300);
  assert.equal(feed([...fine.slice(0, 2), ...other.slice(2)]), 'incomplete');
});

test('a request and an answer may come in pieces at the same time', () => {
  const request = fragmentsOf(300);
  const answer = sealer().seal({ ...header, response: true }, big, 300);
  const opener = new Opener('aes-256-gcm-16', new Secret(new Uint8Array(36)));
  const mixed = request.flatMap((each, i) => [each, answer[i] ?? each]);
  const results = mixed.map((each) => typeof opener.open(decodeHeader(new Reader(each)), each));
  assert.deepEqual(results.slice(-2), ['object', 'object']);
});

test('forged fragments are not kept; impossible places are refused', () => {
  const [a, b, c] = fragmentsOf(300);
  assert.ok(a && b && c);
  const opener = new Opener('aes-256-gcm-16', new Secret(new Uint8Array(36)));
  assert.equal(feed([b.map((octet, i) => (i === 50 ? octet ^ 1 : octet))], opener), 'forged');
  assert.equal(typeof feed([a, b, c], opener), 'object');
  for (const place of [
    { number: 0, total: 3 },
    { number: 4, total: 3 },
    { number: 1, total: 0 },
    { number: 1, total: 65 },
  ]) {
    const fragment = { ...place, first: 0, data: new Uint8Array(), bytes: new Uint8Array() };
    assert.throws(() => new Assembly(0, place.total).add(fragment), DecodeError);
  }
});

test('more padding than octets is refused', () => {
  const key = new Uint8Array(36);
  const associated = fromHex('010101010101010102020202020202022e202508000000070000003b' + '2900001f');
  const iv = new Uint8Array(8);
  const sealed = aeadSeal('aes-256-gcm-16', { key, iv, associated, data: fromHex('000003') });
  const message = concat(associated, iv, sealed);
  const opener = new Opener('aes-256-gcm-16', new Secret(key));
  assert.throws(() => opener.open(decodeHeader(new Reader(message)), message), /padding/);
});
