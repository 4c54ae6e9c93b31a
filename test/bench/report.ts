import { quantile } from '../lab/measures.ts';
import { type Measure, measures, type Sample } from './measure.ts';

export interface Summary {
  readonly unit: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly values: readonly number[];
}

export type Summaries = Readonly<Record<Measure, Summary>>;

const names = Object.keys(measures) as Measure[];

export function summarize(samples: readonly Sample[]): Summaries {
  const entries = names.map((name) => {
    const values = samples.map((sample) => sample[name]);
    const summary: Summary = {
      unit: measures[name].unit,
      median: quantile(values, 0.5),
      lowest: Math.min(...values),
      highest: Math.max(...values),
      values,
    };
    return [name, summary] as const;
  });
  return Object.fromEntries(entries) as Record<Measure, Summary>;
}

const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2));

/** Medians, with the lowest and highest of the rounds below when there was more than one. */
export function table(results: ReadonlyMap<string, Summaries>): string {
  const head = ['', ...names.map((name) => measures[name].title)];
  const units = ['', ...names.map((name) => measures[name].unit)];
  const rows = [...results].flatMap(([subject, summaries]) => {
    const cells = names.map((name) => number(summaries[name].median));
    const spread = names.map((name) => `${number(summaries[name].lowest)}-${number(summaries[name].highest)}`);
    const several = names.some((name) => summaries[name].values.length > 1);
    return several
      ? [
          [subject, ...cells],
          ['', ...spread],
        ]
      : [[subject, ...cells]];
  });
  const all = [head, units, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return all.map(line).join('\n');
}
