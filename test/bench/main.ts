import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { cleanUpOnSignals } from '../lab/signals.ts';
import { World } from '../lab/world.ts';
import { machine } from './cpu.ts';
import { type Effort, measure, type Sample } from './measure.ts';
import { type Summaries, summarize, table } from './report.ts';
import { subjects } from './subjects.ts';

const thorough: Effort = { tcpSeconds: 3, pings: 400, udpSeconds: 1, udpSteps: 5 };
const quick: Effort = { tcpSeconds: 1, pings: 100, udpSeconds: 0.5, udpSteps: 3 };

interface Options {
  readonly quick: boolean;
  readonly rounds?: number;
  readonly json?: string;
  readonly only?: readonly string[];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}

async function bench(options: Options): Promise<void> {
  const effort = options.quick ? quick : thorough;
  const rounds = options.rounds ?? (options.quick ? 1 : 3);
  const chosen = subjects.filter(({ name }) => !options.only || options.only.some((word) => name.includes(word)));
  if (chosen.length === 0)
    throw new Error(`nothing to measure: there are ${subjects.map(({ name }) => name).join(', ')}`);
  const running = [];
  for (const { name, start } of chosen) {
    const { world, carries } = await start();
    await world.corp.start('iperf3', ['iperf3', '-s', '--forceflush']).line(/listening/i);
    console.log(`${name}: carried by ${carries}`);
    running.push({ name, world, carries, samples: [] as Sample[] });
  }
  // Round by round and not subject by subject: what else goes on in the machine then troubles all alike.
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, world, samples } of running) {
      console.log(`round ${round} of ${rounds}: ${name}`);
      samples.push(await measure(world, effort));
    }
  }
  const results = new Map(running.map(({ name, samples }) => [name, summarize(samples)]));
  console.log(`\n${table(results)}`);
  if (options.json)
    writeJson(options.json, results, { rounds, effort, carries: running.map(({ name, carries }) => [name, carries]) });
}

function writeJson(file: string, results: ReadonlyMap<string, Summaries>, about: object): void {
  const document = {
    takenAt: new Date().toISOString(),
    machine: machine(),
    ...about,
    results: Object.fromEntries(results),
  };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`written: ${file}`);
}

cleanUpOnSignals();
const program = new Command('npm run bench --')
  .description(
    'One path three ways in the same run: plain forwarding, moat, strongSwan 5.9.8. Medians of interleaved rounds.',
  )
  .option('--quick', 'one short round', false)
  .option('--rounds <number>', 'how many rounds', wholeNumber)
  .option('--only <word...>', 'subjects whose name contains a word')
  .option('--json <file>', 'write all values too')
  .action(bench);
try {
  await program.parseAsync();
} catch (error) {
  console.error(`moat bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await World.allDown();
}
