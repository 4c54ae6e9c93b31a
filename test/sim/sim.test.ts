import assert from 'node:assert/strict';
import { test } from 'node:test';
import { play } from './play.ts';
import { scenarios } from './scenarios.ts';

const seedsEach = 10;

for (const scenario of scenarios) {
  test(`${scenario.name}: ${seedsEach} seeds`, () => {
    for (let seed = 0; seed < seedsEach; seed += 1) {
      const { problems } = play(scenario, seed, false);
      assert.deepEqual(problems, [], `replay: node test/sim/main.ts --scenario ${scenario.name} --seed ${seed}`);
    }
  });
}

test('the same seed gives the same run, octet by octet', () => {
  const [scenario] = scenarios.filter(({ name }) => name === 'awful');
  assert.ok(scenario);
  assert.deepEqual(play(scenario, 7, true).trace, play(scenario, 7, true).trace);
});
