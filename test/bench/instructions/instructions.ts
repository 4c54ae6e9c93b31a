import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must, run } from '../../lab/processes.ts';
import { asText, type TitledTable } from '../report.ts';

/** Instructions of one operation, by its name. */
export type Counts = Readonly<Record<string, number>>;
/** Counts by the tools that made the program: another compiler makes another program. */
export type Baselines = Readonly<Record<string, Counts>>;

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const baselineFile = here('baseline.json');
const program = here('../../../.build/bench/instructions');

/** What may be added before it counts as a regression. */
const toleratedPercent = 5;
/** Two runs of so many operations; what differs between them is the price of the operations alone. */
const few = 1000;
const many = 3000;

export interface Judged {
  readonly name: string;
  readonly counted: number;
  readonly baseline: number | undefined;
  readonly verdict: 'new' | 'same' | 'cheaper' | 'dearer';
}

export function judge(counted: Counts, baseline: Counts | undefined): Judged[] {
  return Object.entries(counted).map(([name, count]) => {
    const before = baseline?.[name];
    if (before === undefined) return { name, counted: count, baseline: before, verdict: 'new' };
    const percent = (count * 100) / before - 100;
    const verdict = percent > toleratedPercent ? 'dearer' : percent < -toleratedPercent ? 'cheaper' : 'same';
    return { name, counted: count, baseline: before, verdict };
  });
}

export interface InstructionOptions {
  /** Makes what was counted the baseline of these tools. */
  readonly write?: boolean;
}

/**
 * Counts instructions under valgrind, which every processor and every load leaves as they are.
 * @throws {Error} when an operation got dearer than the baseline of the same tools by more than 5 %.
 */
export async function instructions({ write }: InstructionOptions): Promise<void> {
  await must(['make', '-s', '-C', here('.')], { timeout: 600_000 });
  const tools = await toolsOf();
  const baselines = readBaselines();
  const counted = await countAll();
  if (write) writeBaselines({ ...baselines, [tools]: counted });
  const judged = judge(counted, baselines[tools]);
  console.log(asText(table(judged, tools)));
  const dearer = judged.filter(({ verdict }) => verdict === 'dearer');
  if (dearer.length > 0 && !write) {
    const list = dearer.map(({ name, counted: now, baseline }) => `${name}: ${now} instead of ${baseline}`);
    throw new Error(`the packet path got dearer (instructions): ${list.join(', ')}; if it must: --write`);
  }
}

function table(judged: readonly Judged[], tools: string): TitledTable {
  const rows = judged.map(({ name, counted, baseline, verdict }) => [
    name,
    `${counted}`,
    `${baseline ?? '-'}`,
    verdict,
  ]);
  return { title: `Instructions of an operation (${tools})`, cells: [['', 'now', 'baseline', ''], ...rows] };
}

async function countAll(): Promise<Counts> {
  const names = (await must([program])).trim().split('\n');
  const counts: Record<string, number> = {};
  for (const name of names)
    counts[name] = Math.round(((await count(name, many)) - (await count(name, few))) / (many - few));
  return counts;
}

async function count(name: string, times: number): Promise<number> {
  const watch = ['valgrind', '--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null'];
  const { code, stderr } = await run([...watch, program, name, `${times}`], { timeout: 300_000 });
  const refs = /I\s+refs:\s+([\d,]+)/.exec(stderr)?.[1];
  if (code !== 0 || !refs) throw new Error(`valgrind ${name}: exit ${code}: ${stderr.slice(-1000)}`);
  return Number(refs.replaceAll(',', ''));
}

/**
 * Compiler and libcrypto, whose code is part of what is counted, and what libcrypto and our checksums choose their code by.
 * Vectors beyond AVX2 do not count: valgrind hides them.
 */
async function toolsOf(): Promise<string> {
  const compiler = (await must(['g++', '-dumpfullversion'])).trim();
  const library = (await must(['pkg-config', '--modversion', 'libcrypto'])).trim();
  const features = (/^(?:flags|Features)\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? '').split(
    ' ',
  );
  const chosenBy = ['aes', 'pclmulqdq', 'pmull', 'avx', 'avx2', 'bmi2'].filter((name) => features.includes(name));
  return `${[process.arch, ...chosenBy].join(' ')}, g++ ${compiler}, libcrypto ${library}`;
}

function readBaselines(): Baselines {
  return existsSync(baselineFile) ? (JSON.parse(readFileSync(baselineFile, 'utf8')) as Baselines) : {};
}

function writeBaselines(baselines: Baselines): void {
  writeFileSync(baselineFile, `${JSON.stringify(baselines, null, 2)}\n`);
}
