import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, hex } from '../../lib/bytes.ts';
import { corpus, mutate } from './corpus.ts';
import { headerLength } from './header.ts';
import { peekInit, readPayloads } from './message.ts';
import { notifyOf } from './notify.ts';
import { encodePayloads, find, type Payload } from './payloads.ts';

const header = (nextPayload: number) => ({ nextPayload }) as Parameters<typeof peekInit>[0];

test('a nonce and a cookie are found without decoding', () => {
  const cookie = Uint8Array.of(1, 2, 3);
  const payloads: Payload[] = [
    { type: 'N', body: notifyOf('COOKIE', cookie) },
    { type: 'SA', body: [] },
    { type: 'Nonce', body: new Uint8Array(16).fill(9) },
  ];
  const { first, bytes } = encodePayloads(payloads);
  const peeked = peekInit(header(first), concat(new Uint8Array(headerLength), bytes));
  assert.deepEqual([peeked.nonce, peeked.cookie], [new Uint8Array(16).fill(9), cookie]);
});

test('of what decodes it finds what decoding finds; of anything else it ends with nothing or something, never with an error', () => {
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(fc.nat(0xffff_ffff), { maxLength: 6 }), (sample, choices) => {
      const bytes = concat(new Uint8Array(headerLength), mutate(sample.bytes, choices));
      const { nonce } = peekInit(header(sample.first), bytes);
      const payloads = readPayloads(header(sample.first), bytes);
      if (payloads === null || payloads.filter(({ type }) => type === 'Nonce').length !== 1) return;
      assert.equal(hex(nonce ?? new Uint8Array()), hex(find(payloads, 'Nonce') ?? new Uint8Array()));
    }),
    { numRuns: 5_000, seed: 1 },
  );
});
