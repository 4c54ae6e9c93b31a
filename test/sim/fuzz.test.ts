import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from './chance.ts';
import { fuzzDecoders } from './fuzz-decoders.ts';
import { fuzzExchanges } from './fuzz-exchanges.ts';

/* A little of `fuzz.ts` for every run; it has a million for each decoder. */

test('mutated messages are decoded or refused by every decoder', () => {
  const results = fuzzDecoders(1_000, new Chance(7));
  assert.ok(results.length >= 25);
  for (const { name, decoded, refused } of results) assert.equal(decoded + refused, 1_000, name);
});

test('mutated exchanges crash nothing and leave nothing, whoever mutates them', () => {
  const { outside, inside } = fuzzExchanges(400, new Chance(7));
  for (const tally of [outside, inside]) assert.ok(Math.min(tally.initiator, tally.responder) >= 200);
  assert.ok(inside.ended > 0, 'some of the nonsense has ended an SA');
});
