import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timers } from './timers.ts';

test('items come out in order of time, and not before it', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), (times) => {
      const timers = new Timers<number>();
      for (const at of times) timers.add(at, at);
      const sorted = [...times].sort((a, b) => a - b);
      for (const at of sorted) {
        assert.equal(timers.next(), at);
        assert.equal(timers.take(at - 1), undefined);
        assert.equal(timers.take(at), at);
      }
      assert.equal(timers.next(), Number.POSITIVE_INFINITY);
      assert.equal(timers.take(Number.MAX_SAFE_INTEGER), undefined);
    }),
    { seed: 1 },
  );
});
