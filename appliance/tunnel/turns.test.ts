import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('others have their turn before much work is done', async () => {
  const done: number[] = [];
  const turns = new Turns<number>((item) => {
    for (const until = performance.now() + 2; performance.now() < until; );
    done.push(item);
  });
  turns.begin(Array.from({ length: 50 }, (_, i) => i));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(done.length < 25, `${done.length} done`);
  while (done.length < 50) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(new Set(done).size, 50);
});

test('a round is brought to its end before the next one, and nothing is done after the end', async () => {
  const done: string[] = [];
  const turns = new Turns<string>((item) => done.push(item));
  turns.begin(['first']);
  turns.begin(['too early']);
  await new Promise((resolve) => setTimeout(resolve, 5));
  turns.begin(['second']);
  await new Promise((resolve) => setTimeout(resolve, 5));
  turns.begin(['late']);
  turns.stop();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(done, ['first', 'second']);
});
