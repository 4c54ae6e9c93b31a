import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../lib/bytes.ts';
import { mutate } from '../wire/corpus.ts';
import { x509Corpus } from './corpus.ts';

for (const { name, bytes, decode } of x509Corpus) {
  test(`${name}: mutated, it decodes or is refused`, () => {
    decode(bytes);
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 8 }), (choices) => {
        try {
          decode(mutate(bytes, choices));
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }),
      { numRuns: 3_000, seed: 1 },
    );
  });
}
