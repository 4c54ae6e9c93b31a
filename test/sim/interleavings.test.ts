import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from './chance.ts';
import { type Act, explore, playOrder, type Situation } from './interleavings.ts';

const acts: readonly Act[] = ['rekey child', 'rekey ike', 'close', 'nothing'];
const situations: Situation[] = acts.flatMap((home) => acts.map((portal) => ({ home, portal, hybrid: false })));
/** More than any of these has (52), so that it is really every order. */
const limit = 200;
const samples = 5;

for (const situation of situations) {
  const { home, portal } = situation;
  test(`home: ${home}, portal: ${portal}, in every order`, () => {
    const { failures, all } = explore(situation, limit);
    assert.deepEqual(failures, []);
    assert.ok(all);
  });
  test(`home: ${home}, portal: ${portal}, with ML-KEM, in ${samples} orders by chance`, () => {
    for (let seed = 0; seed < samples; seed += 1) {
      const chance = new Chance(seed);
      const problems = playOrder({ ...situation, hybrid: true }, (count) => chance.u32() % count);
      assert.deepEqual(problems, [], `seed ${seed}`);
    }
  });
}
