/** What people see: tables, or with --json the same as JSON for programs. */
import type { Refusal } from '../facts/refusal.ts';

export type Cells = Readonly<Record<string, unknown>>;

/** Columns are as wide as their widest cell; the first row's keys are the headings. */
export function table(rows: readonly Cells[], columns: readonly string[] = Object.keys(rows[0] ?? {})): string {
  if (rows.length === 0) return 'none\n';
  const lines = [columns.map(heading), ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, at) => text.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function heading(column: string): string {
  return column.replace(/([A-Z])/g, ' $1').toUpperCase();
}

/** One line, and nothing that a terminal would obey. */
export function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return value.map(cell).join(', ');
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(/\p{C}/gu, (character) => (character === '\n' ? ' / ' : '?'));
}

/** One record, a field a line. */
export function fieldList(record: Cells): string {
  const width = Math.max(...Object.keys(record).map((name) => name.length));
  return Object.entries(record)
    .map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}\n`)
    .join('');
}

export function time(milliseconds: number | null): string {
  return milliseconds === null ? '-' : new Date(milliseconds).toISOString().replace('T', ' ').slice(0, 19);
}

export interface Output {
  readonly json: boolean;
  write(text: string): void;
}

/** `value` for programs, `text` for people. */
export function show(output: Output, value: unknown, text: string): void {
  output.write(output.json ? `${JSON.stringify(value)}\n` : text);
}

export function refusalText(refusal: Refusal, json: boolean): string {
  return json ? `${JSON.stringify({ refused: refusal.problems })}\n` : `portal: ${refusal.message}\n`;
}
