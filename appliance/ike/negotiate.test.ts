import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../lib/bytes.ts';
import type { EspAlgorithms, IkeAlgorithms } from './api.ts';
import { acceptEsp, acceptIke, chooseEsp, chooseIke, groupOctets, groupOf, offerEsp, offerIke } from './negotiate.ts';
import type { Proposal } from './wire/proposal.ts';

const none = new Uint8Array();
const spi = fromHex('c0ffee01');
const ike: IkeAlgorithms = {
  ciphers: ['aes-256-gcm-16', 'chacha20-poly1305'],
  prfs: ['hmac-sha2-384', 'hmac-sha2-256'],
  keyExchanges: ['x25519', 'ecp256'],
};
const esp: EspAlgorithms = { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519', 'none'], esn: [true, false] };

test('what we offer ourselves we also choose, the most wanted first', () => {
  const chosen = chooseIke(offerIke(ike, none), ike, 'x25519', 0);
  assert.deepEqual(chosen?.suite, {
    cipher: 'aes-256-gcm-16',
    prf: 'hmac-sha2-384',
    keyExchange: 'x25519',
    additionalKeyExchange: null,
  });
  assert.deepEqual(acceptIke(chosen?.answer(none) ?? [], ike, 0)?.suite, chosen?.suite);
});

test('the group that came along is taken if it is allowed', () => {
  assert.equal(chooseIke(offerIke(ike, none), ike, 'ecp256', 0)?.suite.keyExchange, 'ecp256');
  const only: IkeAlgorithms = { ...ike, keyExchanges: ['ecp256'] };
  assert.equal(chooseIke(offerIke(ike, none), only, 'x25519', 0)?.suite.keyExchange, 'ecp256');
});

test('extended and plain sequence numbers are proposals of their own', () => {
  const offer = offerEsp(esp, spi, false);
  const esn = (proposal: Proposal) => proposal.transforms.filter(({ type }) => type === 5).map(({ id }) => id);
  assert.deepEqual(offer.map(esn), [[1], [0]]);
  const plain = chooseEsp(offer, { ...esp, esn: [false] }, false);
  assert.equal(plain?.suite.esn, false);
  assert.equal(plain?.answer(spi)[0]?.number, 2);
});

test('a peer that says nothing of forward secrecy gets none, if it may', () => {
  const without = offerEsp(esp, spi, false);
  assert.equal(chooseEsp(without, esp, { present: null })?.suite.keyExchange, null);
  assert.equal(chooseEsp(without, { ...esp, keyExchanges: ['x25519'] }, { present: null }), null);
});

function changed(change: (proposal: Proposal) => Partial<Proposal>): Proposal[] {
  return offerEsp(esp, spi, true).map((proposal) => ({ ...proposal, ...change(proposal) }));
}

test('what cannot be read is not chosen', () => {
  const gcm = { type: 1, id: 20, keyLength: 256, strange: false };
  const unreadable = [
    changed(() => ({ protocol: 2 })),
    changed(() => ({ spi: none })),
    changed(() => ({ spi: fromHex('000000ff') })), // reserved
    changed(({ transforms }) => ({ transforms: transforms.filter(({ type }) => type !== 1) })),
    changed(({ transforms }) => ({
      transforms: [...transforms, { type: 99, id: 1, keyLength: null, strange: false }],
    })),
    changed(({ transforms }) => ({
      transforms: [...transforms, { type: 3, id: 12, keyLength: null, strange: false }],
    })),
    changed(({ transforms }) => ({
      transforms: transforms.map((each) => (each.type === 1 ? { ...gcm, strange: true } : each)),
    })),
    changed(({ transforms }) => ({
      transforms: transforms.map((each) => (each.type === 1 ? { ...gcm, keyLength: null } : each)),
    })),
    [],
  ];
  for (const proposals of unreadable) assert.equal(chooseEsp(proposals, esp, { present: 'x25519' }), null);
});

test('an integrity transform that says NONE goes with an AEAD', () => {
  const proposals = changed(({ transforms }) => ({
    transforms: [...transforms, { type: 3, id: 0, keyLength: null, strange: false }],
  }));
  assert.equal(chooseEsp(proposals, esp, { present: 'x25519' })?.suite.cipher, 'aes-256-gcm-16');
});

test('an answer is one proposal with one transform of a type, all of them offered', () => {
  const answer = chooseEsp(offerEsp(esp, spi, true), esp, { present: 'x25519' })?.answer(spi) ?? [];
  assert.deepEqual(acceptEsp(answer, esp, true)?.suite, {
    cipher: 'aes-256-gcm-16',
    esn: true,
    keyExchange: 'x25519',
    additionalKeyExchange: null,
  });
  assert.equal(acceptEsp([...answer, ...answer], esp, true), null);
  assert.equal(acceptEsp(offerEsp(esp, spi, true).slice(0, 1), esp, true), null); // both groups
  assert.equal(acceptEsp(answer, { ...esp, ciphers: ['chacha20-poly1305'] }, true), null);
});

test('the group of an INVALID_KE_PAYLOAD', () => {
  assert.equal(groupOf(groupOctets('ecp256')), 'ecp256');
  for (const data of [none, fromHex('00'), fromHex('0401'), fromHex('00001f')]) assert.equal(groupOf(data), null);
});

const hybrid: IkeAlgorithms = { ...ike, additionalKeyExchanges: ['mlkem768', 'none'] };

test('with ML-KEM there is a second proposal without it, for peers that do not know the transform type', () => {
  const offer = offerIke(hybrid, none);
  const types = offer.map(({ transforms }) => transforms.some(({ type, id }) => type === 6 && id === 36));
  assert.deepEqual(types, [true, false]);
  assert.equal(chooseIke(offer, hybrid, 'x25519', 0)?.suite.additionalKeyExchange, 'mlkem768');
  assert.equal(chooseIke(offer, ike, 'x25519', 0)?.suite.additionalKeyExchange, null);
  const strict: IkeAlgorithms = { ...ike, additionalKeyExchanges: ['mlkem768'] };
  assert.equal(chooseIke(offerIke(ike, none), strict, 'x25519', 0), null);
  assert.equal(offerIke(strict, none).length, 1);
});

test('a second additional key exchange can only be left out', () => {
  const also = (id: number) =>
    offerIke({ ...ike, additionalKeyExchanges: ['mlkem768'] }, none).map((proposal) => ({
      ...proposal,
      transforms: [...proposal.transforms, { type: 7, id, keyLength: null, strange: false }],
    }));
  assert.equal(chooseIke(also(36), hybrid, 'x25519', 0), null);
  assert.equal(chooseIke(also(0), hybrid, 'x25519', 0)?.suite.additionalKeyExchange, 'mlkem768');
});
