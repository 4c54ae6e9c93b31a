import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader } from '../../lib/bytes.ts';
import { corpus, mutate } from './corpus.ts';
import { decodePayloads, encodePayloads } from './payloads.ts';

const runs = 2_000;

for (const { name, first, bytes } of corpus) {
  test(`${name}: mutated, it decodes or is refused`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 8 }), (choices) => {
        try {
          // What decodes must have come out in a form that can be sent again.
          encodePayloads(decodePayloads(first, new Reader(mutate(bytes, choices))));
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }),
      { numRuns: runs, seed: 1 },
    );
  });
}

test('noise decodes or is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 200 }), (first, bytes) => {
      try {
        decodePayloads(first, new Reader(bytes));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: runs, seed: 1 },
  );
});

test('the corpus itself is right', () => {
  for (const { name, first, bytes, valid } of corpus) {
    if (valid) assert.deepEqual(encodePayloads(decodePayloads(first, new Reader(bytes))).bytes, bytes, name);
  }
});
