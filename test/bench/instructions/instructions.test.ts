import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './instructions.ts';

test('only what got dearer by more than 5 % is dearer, and without a baseline nothing is', () => {
  const verdicts = (counted: number) => judge({ seal: counted }, { seal: 1000 }).map(({ verdict }) => verdict);
  assert.deepEqual([1000, 1050, 1051, 950, 949].flatMap(verdicts), ['same', 'same', 'dearer', 'same', 'cheaper']);
  assert.deepEqual(judge({ seal: 9 }, undefined)[0]?.verdict, 'new');
});
