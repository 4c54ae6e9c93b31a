import { type Bar, barsOf } from './bars.ts';
import { type Measure, measures } from './measure.ts';
import type { Summaries, Summary } from './record.ts';

const names = Object.keys(measures) as Measure[];
const groups = [...new Set(names.map((name) => measures[name].group))];

export const formatNumber = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2));

/** Cells of a table; the first row is the head. */
export type Table = readonly (readonly string[])[];

export interface TitledTable {
  readonly title: string;
  readonly cells: Table;
}

/** A table for each group of measures, with what was measured at all. Spread: lowest and highest round. */
export function tables(results: Summaries): TitledTable[] {
  return groups.flatMap((group) => {
    const measured = names.filter(
      (name) => measures[name].group === group && [...results.values()].some((one) => one[name]),
    );
    if (measured.length === 0) return [];
    const head = ['', ...measured.map((name) => `${measures[name].title}, ${measures[name].unit}`)];
    const rows = [...results].map(([subject, one]) => [subject, ...measured.map((name) => cell(one[name]))]);
    return [{ title: group, cells: [head, ...rows] }];
  });
}

function cell(summary: Summary | undefined): string {
  if (!summary) return '-';
  const { median, lowest, highest, rounds } = summary;
  const spread = rounds > 1 ? ` (${formatNumber(lowest)}-${formatNumber(highest)})` : '';
  return `${formatNumber(median)}${spread}`;
}

export function barTable(results: Summaries): TitledTable {
  const rows = barsOf(results).map((bar) => [bar.title, bar.wanted, bar.found ?? 'not measured', verdict(bar)]);
  return { title: 'What must be true', cells: [['', 'wanted', 'found', ''], ...rows] };
}

const verdict = ({ found, passes }: Bar) => (found === undefined ? '' : passes ? 'pass' : 'short');

/** For a terminal: first column to the left, the others to the right. */
export function asText({ title, cells }: TitledTable): string {
  const [head = []] = cells;
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ');
  return `${title}\n${cells.map((row) => `  ${line(row).trimEnd()}`).join('\n')}`;
}

export function asMarkdown({ cells }: TitledTable): string {
  const [head = [], ...rows] = cells;
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
