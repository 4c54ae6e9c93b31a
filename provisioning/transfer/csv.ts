/** RFC 4180, both directions. */
import { refuse } from '../facts/refusal.ts';

const quoted = /[",\r\n]/;
/** What a spreadsheet would run as a formula; the apostrophe in front is how they all mark text. */
const formula = /^[=+\-@\t\r]/;

export function writeCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(writeField).join(',')}\r\n`).join('');
}

function writeField(value: string): string {
  const safe = formula.test(value) ? `'${value}` : value;
  return quoted.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows with the number of the line that each begins in, from 1. @throws {Refusal} on a quote that is not closed. */
export function readCsv(text: string): { line: number; fields: string[] }[] {
  const rows: { line: number; fields: string[] }[] = [];
  // A field: quoted with doubled quotes inside, or anything up to a comma or the end of the line; then what ends it.
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|$)/y;
  let fields: string[] = [];
  let line = 1;
  let start = 1;
  const body = text.replace(/^\uFEFF/, '');
  while (pattern.lastIndex < body.length) {
    const match = pattern.exec(body);
    if (!match)
      return refuse(`line ${start}`, 'expected comma-separated fields; a quote is not closed or stands inside');
    const [, inQuotes, plain = '', end] = match;
    fields.push(readField(inQuotes?.replaceAll('""', '"') ?? plain));
    line += inQuotes?.split('\n').length ?? 1;
    line -= 1;
    if (end === ',' && pattern.lastIndex < body.length) continue;
    if (end === ',') fields.push('');
    rows.push({ line: start, fields });
    fields = [];
    line += 1;
    start = line;
  }
  return rows.filter((row) => row.fields.some((field) => field !== ''));
}

function readField(value: string): string {
  return value.startsWith("'") && formula.test(value.slice(1)) ? value.slice(1) : value;
}
