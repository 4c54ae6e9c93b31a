/** Records as people write them (references by label) to and from rows (references by id). */
import { sql } from 'kysely';
import type { Queries } from '../db/database.ts';
import { columnOf, type Kind, type KindName, kinds } from './kinds.ts';
import { refuse } from './refusal.ts';

/** A row of any kind, columns in camelCase. */
export type Row = Readonly<Record<string, string | number | null>> & { readonly id: number };
/** What people see: `{ name: "home", customer: "acme", settings: {} }`. */
export type FactRecord = Readonly<Record<string, unknown>>;

const chunkSize = 500;

export function* chunksOf<T>(all: readonly T[], size = chunkSize): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}

export async function rowsByIds(queries: Queries, kind: Kind, ids: readonly number[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const chunk of chunksOf(ids)) {
    const query = sql<Row>`select * from ${sql.table(kind.table)} where id in (${sql.join(chunk)}) order by id`;
    rows.push(...(await query.execute(queries)).rows);
  }
  return rows;
}

/** The id of a label, or undefined. `acme/home`: the text behind the last slash is the last label field. */
async function findId(queries: Queries, kind: Kind, label: string): Promise<number | undefined> {
  const row = await findRow(queries, kind, label);
  return row?.id;
}

export async function findRow(queries: Queries, kind: Kind, label: string): Promise<Row | undefined> {
  const [first = '', second] = kind.label;
  const cut = label.lastIndexOf('/');
  if (second === undefined) return oneRow(queries, kind, [[first, label]]);
  const owner = kinds[kind.fields[first]?.to ?? 'customer'];
  const ownerId = cut < 0 ? undefined : await findId(queries, owner, label.slice(0, cut));
  if (ownerId === undefined) return undefined;
  return oneRow(queries, kind, [
    [`${first}Id`, ownerId],
    [second, label.slice(cut + 1)],
  ]);
}

async function oneRow(
  queries: Queries,
  kind: Kind,
  where: readonly (readonly [string, string | number])[],
): Promise<Row | undefined> {
  const conditions = where.map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  const query = sql<Row>`select * from ${sql.table(kind.table)} where ${sql.join(conditions, sql` and `)}`;
  return (await query.execute(queries)).rows[0];
}

/** @throws {Refusal} when there is none. */
export async function rowNamed(queries: Queries, kind: Kind, label: string): Promise<Row> {
  return (await findRow(queries, kind, label)) ?? refuse('', `there is no ${kind.name} '${label}'`, 'missing');
}

/** Columns for the given fields; references are looked up. @throws {Refusal} for a name that names nothing. */
export async function toColumns(
  queries: Queries,
  kind: Kind,
  fields: FactRecord,
): Promise<Record<string, string | number | null>> {
  const columns: Record<string, string | number | null> = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = kind.fields[name];
    if (!field || value === undefined) continue;
    if (field.type === 'json') columns[name] = canonicalJson(value);
    else if (field.type !== 'reference') columns[name] = value as string | number;
    else columns[columnOf(name, field)] = await referenceId(queries, field.to, name, value as string | null);
  }
  return columns;
}

async function referenceId(
  queries: Queries,
  to: KindName | undefined,
  field: string,
  label: string | null,
): Promise<number | null> {
  if (label === null || !to) return null;
  const target = await findRow(queries, kinds[to], label);
  if (!target) return refuse(field, `there is no ${to} '${label}'`);
  if (target.archivedAt !== null) return refuse(field, `${to} '${label}' is archived`);
  return target.id;
}

/** Rows as people see them, in the same order: without their secrets. */
export async function toRecords(queries: Queries, kind: Kind, rows: readonly Row[]): Promise<FactRecord[]> {
  return (await toWholeRecords(queries, kind, rows)).map((record) => concealedRecord(kind, record));
}

function concealedRecord({ fields }: Kind, record: FactRecord): FactRecord {
  const told = ([name, value]: [string, unknown]) => [name, fields[name]?.conceal?.(value) ?? value];
  return Object.fromEntries(Object.entries(record).map(told));
}

/** As `toRecords`, secrets and all: for exports that ask for them, and for finding out what has changed. */
export async function toWholeRecords(queries: Queries, kind: Kind, rows: readonly Row[]): Promise<FactRecord[]> {
  const labels = new Map<string, ReadonlyMap<number, string>>();
  for (const [name, field] of Object.entries(kind.fields)) {
    if (!field.to) continue;
    const ids = new Set(rows.map((row) => row[`${name}Id`]).filter((id): id is number => typeof id === 'number'));
    labels.set(name, await labelsOf(queries, kinds[field.to], [...ids]));
  }
  return rows.map((row) => toRecord(kind, row, labels));
}

function toRecord(kind: Kind, row: Row, labels: ReadonlyMap<string, ReadonlyMap<number, string>>): FactRecord {
  const entries = Object.entries(kind.fields).map(([name, field]): [string, unknown] => {
    const value = row[columnOf(name, field)];
    if (field.type === 'json') return [name, JSON.parse(String(value))];
    if (field.type !== 'reference') return [name, value];
    return [name, typeof value === 'number' ? (labels.get(name)?.get(value) ?? null) : null];
  });
  return Object.fromEntries(entries);
}

/** The labels of many records at once. */
export async function labelsOf(
  queries: Queries,
  kind: Kind,
  ids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const [first = '', second] = kind.label;
  const rows = await rowsByIds(queries, kind, ids);
  if (second === undefined) return new Map(rows.map((row) => [row.id, String(row[first])]));
  const owner = kinds[kind.fields[first]?.to ?? 'customer'];
  const ownerIds = new Set(rows.map((row) => Number(row[`${first}Id`])));
  const owners = await labelsOf(queries, owner, [...ownerIds]);
  return new Map(rows.map((row) => [row.id, `${owners.get(Number(row[`${first}Id`]))}/${row[second]}`]));
}

/** The same value always gives the same text: keys in order, no spaces. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
