import { type Effort, measure, type Sample } from './measure.ts';
import { type ComparisonRecord, origin, summarize, writeRecord } from './record.ts';
import { asText, barTable, tables } from './report.ts';
import { chosen, type Started, start } from './subjects.ts';

export interface CompareOptions {
  readonly quick: boolean;
  readonly rounds?: number;
  readonly json?: string;
  readonly only?: readonly string[];
}

const thorough: Effort = {
  tcpSeconds: 2,
  fourStreamSeconds: 1,
  pings: 200,
  search: { seconds: 0.6, precision: 1.08, tries: 2 },
  largePackets: true,
};
const quick: Effort = {
  tcpSeconds: 1,
  fourStreamSeconds: 0,
  pings: 100,
  search: { seconds: 0.4, precision: 1.2, tries: 1 },
  largePackets: false,
};

interface Runner extends Started {
  readonly samples: Sample[];
}

/** One path many ways in the same run. */
export async function compare(options: CompareOptions): Promise<void> {
  const effort = options.quick ? quick : thorough;
  const rounds = options.rounds ?? (options.quick ? 1 : 3);
  const runners: Runner[] = [];
  for (const subject of chosen(options.only)) {
    const started = await start(subject);
    console.log(`${subject.name}: ${started.carries}`);
    runners.push({ ...started, samples: [] });
  }
  const began = performance.now();
  // Round by round and not subject by subject: what else goes on in the machine then troubles all alike.
  for (let turn = 0; turn < rounds * runners.length; turn += 1) {
    const runner = runners[turn % runners.length];
    if (!runner) break;
    const { name, world, samples } = runner;
    const round = Math.floor(turn / runners.length) + 1;
    console.log(`round ${round} of ${rounds}: ${name}${remaining(began, turn, rounds * runners.length)}`);
    samples.push(await measure(world, effort, samples.at(-1)));
    // After every turn: a long run that is ended early has not been for nothing.
    if (options.json) writeRecord(options.json, recordOf(runners, options));
  }
  const results = summarize(recordOf(runners, options));
  for (const table of [...tables(results), barTable(results)]) console.log(`\n${asText(table)}`);
  if (options.json) console.log(`\nwritten: ${options.json}`);
}

/** From the second turn on; the first tells nothing about the others. */
function remaining(began: number, done: number, all: number): string {
  if (done === 0) return '';
  const seconds = ((performance.now() - began) / done / 1000) * (all - done);
  const text = seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  return `  (about ${text} to go)`;
}

const recordOf = (runners: readonly Runner[], { quick: short }: CompareOptions): ComparisonRecord => ({
  kind: 'comparison',
  ...origin(),
  effort: short ? 'quick' : 'thorough',
  subjects: runners.map(({ name, carries, samples }) => ({ name, carries, samples })),
});
