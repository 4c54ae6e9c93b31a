import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NestRecord } from './line/nest.ts';
import { type SweepRecord, sweeps } from './line/sweep.ts';
import { nestTables, sweepTables } from './line/tables.ts';
import { comparisonFigure, fetchesFigure, lineWords, sweepFigure, times, transfersFigure } from './plot/figures.ts';
import { writeDrawing } from './plot/png.ts';
import { type ComparisonRecord, readRecord, summarize, together } from './record.ts';
import { asMarkdown, barTable, tables } from './report.ts';

export interface ReportOptions {
  readonly out?: string;
}

interface Records {
  readonly comparison: ComparisonRecord | undefined;
  readonly nest: NestRecord | undefined;
  readonly sweeps: readonly SweepRecord[];
}

/** Writes RESULTS.md and its plots from the records of one or more runs. */
export async function report(paths: readonly string[], options: ReportOptions): Promise<void> {
  const folder = options.out ?? fileURLToPath(new URL('.', import.meta.url));
  mkdirSync(join(folder, 'plots'), { recursive: true });
  const records = sorted(paths);
  await draw(records, join(folder, 'plots'));
  const sections = [head(records), comparison(records), line(records), ...records.sweeps.map(sweepSection), again];
  writeFileSync(join(folder, 'RESULTS.md'), `${sections.filter(Boolean).join('\n\n')}\n`);
  console.log(`written: ${join(folder, 'RESULTS.md')}`);
}

function sorted(paths: readonly string[]): Records {
  const all = paths.map(readRecord);
  const of = <T extends { kind: string }>(kind: T['kind']) => all.filter((record) => record.kind === kind) as T[];
  const comparisons = of<ComparisonRecord>('comparison');
  return {
    comparison: comparisons.length > 0 ? together(comparisons) : undefined,
    nest: of<NestRecord>('nest').at(-1),
    sweeps: of<SweepRecord>('sweep'),
  };
}

async function draw(records: Records, folder: string): Promise<void> {
  if (records.comparison) await writeDrawing(join(folder, 'comparison'), comparisonFigure(records.comparison));
  if (records.nest) {
    await writeDrawing(join(folder, 'transfers'), transfersFigure(records.nest));
    await writeDrawing(join(folder, 'fetches'), fetchesFigure(records.nest));
  }
  for (const record of records.sweeps) await writeDrawing(join(folder, `sweep-${record.sweep}`), sweepFigure(record));
}

const plot = (name: string, words: string) => `[![${words}](plots/${name}.png)](plots/${name}.svg)`;

function head({ comparison: compared, nest, sweeps: swept }: Records): string {
  const first = compared ?? nest ?? swept[0];
  if (!first) throw new Error('no records to report');
  const { processor, cores, memoryGb, kernel } = first.machine;
  return `# Results

Written by \`npm run bench -- report\`; \`README.md\` says what is measured and how.

| | |
| --- | --- |
| taken | ${taken(first)} |
| machine | ${processor}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}; both gateways, both ends and the load share it |
${carriers(compared)}`;
}

/** Each part says it for itself: the line's limits are not the processor's, and they are not measured anew for every change of the packet path. */
const taken = ({ takenAt, commit }: Pick<ComparisonRecord, 'takenAt' | 'commit'>) =>
  `${takenAt.slice(0, 10)}, moat ${commit}`;

const carriers = (record: ComparisonRecord | undefined) =>
  (record?.subjects ?? []).map(({ name, carries }) => `| ${name} | ${carries} |`).join('\n');

function comparison({ comparison: record }: Records): string {
  if (!record) return '';
  const results = summarize(record);
  const rounds = Math.max(...record.subjects.map(({ samples }) => samples.length));
  const parts = tables(results).map((table) => `### ${table.title}\n\n${asMarkdown(table)}`);
  return [
    '## Beside its peers',
    `Medians of ${times(rounds, 'round')}, interleaved; in parentheses the lowest and the highest.`,
    plot('comparison', 'moat beside its peers'),
    asMarkdown(barTable(results)),
    ...parts,
  ].join('\n\n');
}

function line({ nest: record }: Records): string {
  if (!record) return '';
  const [transfers, small] = nestTables(record);
  return [
    '## A bad line',
    `Taken ${taken(record)}. ${lineWords(record)}. \`text\` compresses to a sixth, \`noise\` does not; none of the subjects compresses.`,
    plot('transfers', 'six transfers'),
    asMarkdown(transfers),
    plot('fetches', 'small fetches'),
    asMarkdown(small),
  ].join('\n\n');
}

function sweepSection(record: SweepRecord): string {
  const { title } = sweeps[record.sweep];
  const parts = sweepTables(record).map((table) => `${table.title}:\n\n${asMarkdown(table)}`);
  return [
    `## ${title}`,
    `Taken ${taken(record)}.`,
    plot(`sweep-${record.sweep}`, `${title} and what it changes`),
    ...parts,
  ].join('\n\n');
}

const again = `## Again

    npm run bench -- everything`;
