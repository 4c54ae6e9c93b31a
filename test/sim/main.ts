import { parseArgs } from 'node:util';
import { play } from './play.ts';
import { scenarios } from './scenarios.ts';

/*
 * node test/sim/main.ts [--seeds N] [--from K] [--scenario NAME] | --seed K [--scenario NAME]
 * Seed K plays scenario K modulo their number, unless one is named.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
    scenario: { type: 'string' },
    seed: { type: 'string' },
  },
});

const chosen = values.scenario === undefined ? scenarios : scenarios.filter(({ name }) => name === values.scenario);
if (chosen.length === 0) {
  console.error(`no scenario '${values.scenario}'; there are ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

function scenarioFor(seed: number) {
  const scenario = chosen[seed % chosen.length];
  if (scenario === undefined) throw new RangeError(`no scenario for seed ${seed}`);
  return scenario;
}

function replay(seed: number): number {
  const { problems, trace } = play(scenarioFor(seed), seed, true);
  console.log(trace.join('\n'));
  for (const problem of problems) console.log(`PROBLEM ${problem}`);
  return problems.length;
}

function playAll(from: number, count: number): number {
  const start = performance.now();
  let failures = 0;
  let datagrams = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const scenario = scenarioFor(seed);
    const outcome = play(scenario, seed, false);
    datagrams += outcome.datagrams;
    if (outcome.problems.length === 0) continue;
    failures += 1;
    console.log(`FAILED ${scenario.name}: ${outcome.problems.join('; ')}`);
    console.log(`  replay: node test/sim/main.ts --scenario ${scenario.name} --seed ${seed}`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${count} seeds, ${chosen.length} scenarios, ${datagrams} datagrams, ${failures} failures in ${seconds} s`,
  );
  return failures;
}

const failures =
  values.seed === undefined ? playAll(Number(values.from), Number(values.seeds)) : replay(Number(values.seed));
process.exitCode = failures === 0 ? 0 : 1;
