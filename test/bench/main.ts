import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { cleanUpOnSignals } from '../lab/signals.ts';
import { World } from '../lab/world.ts';
import { type CompareOptions, compare } from './compare.ts';
import { type EverythingOptions, everything } from './everything.ts';
import { type InstructionOptions, instructions } from './instructions/instructions.ts';
import { type NestOptions, nest } from './line/nest.ts';
import { type SweepName, type SweepOptions, sweep, sweeps } from './line/sweep.ts';
import { nestTables, sweepTables } from './line/tables.ts';
import { writeRecord } from './record.ts';
import { asText, type TitledTable } from './report.ts';
import { type ReportOptions, report } from './results.ts';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}

function sweepName(text: string): SweepName {
  if (!(text in sweeps)) throw new InvalidArgumentError(`expected one of ${Object.keys(sweeps).join(', ')}`);
  return text as SweepName;
}

/** Hands over to a benchmark that is a program of its own, one after the other. Stops at the first that fails. */
async function handOver(...programs: readonly (readonly [script: string, ...words: string[]])[]): Promise<void> {
  for (const [script, ...words] of programs) {
    const file = fileURLToPath(new URL(`../${script}`, import.meta.url));
    const child = spawn(process.execPath, [file, ...words], { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${script} ended with ${code ?? 'a signal'}`);
  }
}

interface Saved {
  readonly json?: string;
}

function show(found: readonly TitledTable[], record: object, { json }: Saved): void {
  for (const table of found) console.log(`\n${asText(table)}`);
  if (!json) return;
  writeRecord(json, record);
  console.log(`\nwritten: ${json}`);
}

function measured(command: Command): Command {
  return command
    .option('--rounds <number>', 'how many rounds', wholeNumber)
    .option('--only <word...>', 'subjects whose key begins with a word')
    .option('--json <file>', 'write all values');
}

cleanUpOnSignals();
const program = new Command('npm run bench --');
measured(program.command('peers', { isDefault: true }))
  .description(
    'one path many ways: plain forwarding, moat and its peers; medians of interleaved rounds (what runs without a word)',
  )
  .option('--quick', 'one short round, below five minutes', false)
  .action((options: CompareOptions) => compare(options));
measured(program.command('nest'))
  .description('a line of 1.5 Mbit/s, 100 ms, 1 % loss and reordering: six transfers, a thousand small fetches')
  .option('--fetches <number>', 'how many small fetches', wholeNumber)
  .action(async (options: NestOptions & Saved) => {
    const record = await nest(options);
    show(nestTables(record), record, options);
  });
measured(program.command('sweep'))
  .description('throughput, jitter, loss and HTTP latency against one thing that varies: bitrate, delay or loss')
  .argument('<what>', 'bitrate, delay or loss', sweepName)
  .action(async (name: SweepName, options: SweepOptions & Saved) => {
    const record = await sweep(name, options);
    show(sweepTables(record), record, options);
  });
program
  .command('everything')
  .description('all of RESULTS.md, half an hour; begun again it goes on where it was ended')
  .option('--folder <folder>', 'where its measurements are kept; .runs/bench when not given')
  .option('--out <folder>', 'where RESULTS.md goes; test/bench when not given')
  .option('--short', 'fewer rounds: below twenty minutes', false)
  .option('--only <word...>', 'subjects whose key begins with a word')
  .action((options: EverythingOptions) => everything(options));
program
  .command('report')
  .description('RESULTS.md and its plots from files that --json wrote; rounds of several runs count as those of one')
  .argument('<file...>')
  .option('--out <folder>', 'where to; test/bench when not given')
  .action((files: string[], options: ReportOptions) => report(files, options));
program
  .command('instructions')
  .description('instructions of each piece of the packet path, against the baseline: what a busy machine cannot change')
  .option('--write', 'make them the baseline', false)
  .action((options: InstructionOptions) => instructions(options));
program
  .command('fleet')
  .description("the portal's memory with ten thousand boxes")
  .argument('[word...]', 'passed on: devices, seconds of steady load')
  .action((words: string[]) => handOver(['bench/fleet/fleet.ts', ...words]));
program
  .command('lan')
  .description('DNS beside dnsmasq (dnsperf), DHCP under load (perfdhcp), NTP and memory')
  .option('--rounds <number>', 'how many rounds', wholeNumber)
  .option('--json <file>', 'write all values')
  .action(({ rounds, json }: { rounds?: number; json?: string }) => {
    const words = [...(rounds ? ['--rounds', `${rounds}`] : []), ...(json ? ['--json', json] : [])];
    return handOver(['bench/lan/lan.ts', ...words]);
  });
try {
  await program.parseAsync();
} catch (error) {
  console.error(`moat bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await World.allDown();
}
