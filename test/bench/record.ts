import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { median } from '../lab/measures.ts';
import { type Machine, machine } from './cpu.ts';
import { type Measure, measures, type Sample } from './measure.ts';

/** One subject's rounds. */
export interface SubjectRecord {
  readonly name: string;
  /** What really carried its packets. */
  readonly carries: string;
  readonly samples: readonly Sample[];
}

/** What a run leaves behind; several can be put together. */
export interface ComparisonRecord {
  readonly kind: 'comparison';
  readonly takenAt: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly effort: string;
  readonly subjects: readonly SubjectRecord[];
}

/** What every kind of record begins with. */
export function origin(): Pick<ComparisonRecord, 'takenAt' | 'commit' | 'machine'> {
  return { takenAt: new Date().toISOString(), commit: commit(), machine: machine() };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

export function writeRecord(file: string, record: object): void {
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
}

/** @throws {Error} when it is not a record. */
export function readRecord(file: string): { readonly kind: string } {
  const record = JSON.parse(readFileSync(file, 'utf8')) as { kind?: unknown };
  if (typeof record.kind !== 'string') throw new Error(`${file} is not a record of this benchmark`);
  return { ...record, kind: record.kind };
}

/** The rounds of several runs as those of one. @throws {Error} when there is none, or they come from different machines. */
export function together(records: readonly ComparisonRecord[]): ComparisonRecord {
  const [first] = records;
  if (!first) throw new Error('no records of the comparison');
  for (const { machine: other } of records) {
    if (other.processor !== first.machine.processor || other.kernel !== first.machine.kernel)
      throw new Error(`records of different machines do not mix: ${other.processor}, ${first.machine.processor}`);
  }
  const names = [...new Set(records.flatMap(({ subjects }) => subjects.map(({ name }) => name)))];
  const subjects = names.map((name) => {
    const parts = records.flatMap((record) => record.subjects.filter((subject) => subject.name === name));
    return { name, carries: parts.at(-1)?.carries ?? '', samples: parts.flatMap(({ samples }) => samples) };
  });
  return { ...first, takenAt: records.at(-1)?.takenAt ?? first.takenAt, subjects };
}

export interface Summary {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly rounds: number;
}
export type Summaries = ReadonlyMap<string, Readonly<Partial<Record<Measure, Summary>>>>;

export function summarize({ subjects }: ComparisonRecord): Summaries {
  return new Map(subjects.map(({ name, samples }) => [name, summariesOf(samples)]));
}

function summariesOf(samples: readonly Sample[]): Partial<Record<Measure, Summary>> {
  const entries = (Object.keys(measures) as Measure[]).flatMap((name) => {
    const values = samples.flatMap((sample) => sample[name] ?? []);
    if (values.length === 0) return [];
    return [[name, summaryOf(values)]];
  });
  return Object.fromEntries(entries) as Partial<Record<Measure, Summary>>;
}

export function summaryOf(values: readonly number[]): Summary {
  return {
    median: median(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
    rounds: values.length,
  };
}
