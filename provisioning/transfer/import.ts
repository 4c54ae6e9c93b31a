/** Reads what `export.ts` writes: all of it or, when one line is wrong, nothing. */
import type { Edit } from '../facts/edit.ts';
import { addFactoryKey, addRecord, textOf } from '../facts/fleet.ts';
import { isKindName, type KindName, kinds } from '../facts/kinds.ts';
import { poolShape, putRange, rangeOfSlot, slotOfRange } from '../facts/pools.ts';
import { type FactRecord, findRow, type Row } from '../facts/records.ts';
import { Refusal, refuse } from '../facts/refusal.ts';
import { readCsv } from './csv.ts';
import { csvColumns, formatVersion } from './export.ts';

export interface ImportOptions {
  /** Sites go to this portal, and the portals of the file stay out: the fleet moves here. */
  readonly portal?: string | undefined;
  /** What to do with a record whose name is already there; a device or key is never taken over silently. */
  readonly existing: 'refuse' | 'skip';
  /** Told after each line how many of how many are read. */
  progress?(lines: number, all: number): void;
}

export type ImportCounts = Partial<Record<KindName, number>>;

/** @throws {Refusal} whose fields begin with `line N`. */
export async function importLines(edit: Edit, text: string, options: ImportOptions): Promise<ImportCounts> {
  const counts: ImportCounts = {};
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    options.progress?.(index, lines.length);
    if (line.trim() === '') continue;
    await onLine(index + 1, async () => {
      const kind = await importOne(edit, parseLine(line), options);
      if (kind) counts[kind] = (counts[kind] ?? 0) + 1;
    });
  }
  return counts;
}

async function onLine(line: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const problems = error.problems.map(({ field, message }) => ({
      field: field === '' ? `line ${line}` : `line ${line}: ${field}`,
      message,
    }));
    throw new Refusal(problems, error.reason);
  }
}

function parseLine(line: string): FactRecord {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as FactRecord;
  } catch {
    // The sentence below says what is expected; the parser's own would only show an excerpt.
  }
  return refuse('', 'expected one JSON object');
}

async function importOne(edit: Edit, line: FactRecord, options: ImportOptions): Promise<KindName | null> {
  const { kind, ...record } = line;
  if (kind === 'export') {
    if (record.version !== formatVersion) refuse('version', `expected ${formatVersion}: a newer program wrote this`);
    return null;
  }
  if (typeof kind !== 'string' || !isKindName(kind)) return refuse('kind', `expected one of ${Object.keys(kinds)}`);
  if (kind === 'portal' && options.portal !== undefined) return null;
  if (options.existing === 'skip' && (await isThere(edit, kind, record))) return null;
  if (kind === 'range') await importRange(edit, record);
  else if (kind === 'pool') await addRecord(edit, 'pool', record);
  else await edit.insert(kind, kind === 'site' && options.portal ? { ...record, portal: options.portal } : record);
  return kind;
}

async function isThere(edit: Edit, kind: KindName, record: FactRecord): Promise<boolean> {
  const label = kinds[kind].label.map((field) => textOf(record, field)).join('/');
  return (await findRow(edit.tx, kinds[kind], label)) !== undefined;
}

/** The very range, not a new one: the home's devices keep their addresses. */
async function importRange(edit: Edit, record: FactRecord): Promise<void> {
  const pool = poolShape(await edit.named('pool', textOf(record, 'pool')));
  const site = await edit.named('site', textOf(record, 'site'));
  const prefix = textOf(record, 'prefix');
  const { slot } = record;
  const found = asPrefix(() => slotOfRange(pool, prefix));
  if (slot !== undefined && slot !== found)
    refuse('slot', `expected ${found}: that is where ${prefix} lies in the pool`);
  await putFreeRange(edit, pool, site, found);
}

function asPrefix<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TypeError) return refuse('prefix', error.message);
    throw error;
  }
}

async function putFreeRange(edit: Edit, pool: ReturnType<typeof poolShape>, site: Row, slot: number): Promise<void> {
  const prefix = rangeOfSlot(pool, slot);
  const taken = await findRow(edit.tx, kinds.range, prefix);
  if (taken) refuse('prefix', `${prefix} is assigned to another site`, 'conflict');
  await putRange(edit, pool, site, slot);
}

type CsvLine = Readonly<Partial<Record<(typeof csvColumns)[number], string>>>;

/** One device a line; customers and sites that are not there yet are made. @throws {Refusal} as `importLines`. */
export async function importCsv(edit: Edit, text: string, options: ImportOptions): Promise<ImportCounts> {
  const [head, ...rows] = readCsv(text);
  const columns = head?.fields ?? [];
  const known: readonly string[] = csvColumns;
  for (const column of columns) if (!known.includes(column)) refuse(column, `unknown column: expected ${known}`);
  for (const column of ['customer', 'device']) if (!columns.includes(column)) refuse(column, 'expected this column');
  let device = 0;
  for (const [index, { line, fields }] of rows.entries()) {
    options.progress?.(index, rows.length);
    await onLine(line, async () => {
      if (fields.length > columns.length) refuse('', `expected ${columns.length} fields, found ${fields.length}`);
      const record = Object.fromEntries(columns.map((column, at) => [column, fields[at] ?? ''])) as CsvLine;
      if (await importCsvDevice(edit, record, options)) device += 1;
    });
  }
  return { device };
}

async function importCsvDevice(edit: Edit, line: CsvLine, options: ImportOptions): Promise<boolean> {
  const { customer = '', device: name = '', ranges = '', publicKey = '', note = '' } = line;
  if (options.existing === 'skip' && (await findRow(edit.tx, kinds.device, name))) return false;
  if (!(await findRow(edit.tx, kinds.customer, customer))) await edit.insert('customer', { name: customer });
  const siteName = line.site || name;
  const label = `${customer}/${siteName}`;
  if (!(await findRow(edit.tx, kinds.site, label))) {
    const portal = options.portal ?? (line.portal || undefined);
    const site = {
      customer,
      name: siteName,
      ...(line.policy ? { policy: line.policy } : {}),
      ...(portal && { portal }),
    };
    if (ranges === '') await addRecord(edit, 'site', site);
    else await addSiteWithRanges(edit, site, ranges.split(' '));
  }
  await addRecord(edit, 'device', { site: label, name, note });
  if (publicKey !== '') await addFactoryKey(edit, name, publicKey);
  return true;
}

async function addSiteWithRanges(edit: Edit, site: FactRecord, ranges: readonly string[]): Promise<void> {
  const id = await edit.insert('site', { portal: await edit.onlyPortal(), ...site });
  const row = await edit.byId('site', id);
  const pools = await edit.tx.selectFrom('pools').selectAll().where('archivedAt', 'is', null).execute();
  for (const range of ranges) {
    const pool = pools.find((one) => inPool(one, range));
    if (!pool) return refuse('ranges', `${range} is no range of any pool`);
    await putFreeRange(edit, pool, row, slotOfRange(pool, range));
  }
}

function inPool(pool: { name: string; prefix: string; siteLength: number }, range: string): boolean {
  try {
    slotOfRange(pool, range);
    return true;
  } catch {
    return false;
  }
}
