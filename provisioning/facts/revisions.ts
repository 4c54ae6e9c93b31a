/** The history: what changed, when, by whom; and the way back. */

import { sql } from 'kysely';
import { concealed } from '../compile/conceal.ts';
import { type Difference, differences } from '../compile/merge.ts';
import type { Queries } from '../db/database.ts';
import type { Edit } from './edit.ts';
import { type Kind, type KindName, kinds } from './kinds.ts';
import { type Row, rowsByIds, toWholeRecords } from './records.ts';
import { refuse } from './refusal.ts';

export interface RevisionSummary {
  readonly id: number;
  readonly at: number;
  readonly author: string;
  readonly summary: string;
  readonly changes: number;
  /** Boxes in use whose configuration is as this revision made it, and how many of them have confirmed it. */
  readonly boxes: number;
  readonly confirmed: number;
}

export interface RecordDifference {
  readonly kind: KindName;
  readonly label: string;
  readonly what: 'added' | 'changed' | 'archived' | 'restored' | 'purged';
  readonly fields: readonly Difference[];
}

/** The newest first. `before`: only older ones than this. */
export async function listRevisions(
  queries: Queries,
  { before = Number.MAX_SAFE_INTEGER, limit = 50 }: { before?: number; limit?: number },
): Promise<RevisionSummary[]> {
  const rows = await queries
    .selectFrom('revisions')
    .leftJoin('revisionChanges', 'revisionChanges.revisionId', 'revisions.id')
    .select(['revisions.id', 'revisions.at', 'revisions.author', 'revisions.summary'])
    .select(({ fn }) => fn.count<number>('revisionChanges.id').as('changes'))
    .where('revisions.id', '<', before)
    .groupBy('revisions.id')
    .orderBy('revisions.id', 'desc')
    .limit(limit)
    .execute();
  const boxes = await boxesByRevision(
    queries,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ ...row, ...(boxes.get(row.id) ?? { boxes: 0, confirmed: 0 }) }));
}

/** The map of revisions: who is where. */
async function boxesByRevision(
  queries: Queries,
  ids: readonly number[],
): Promise<Map<number, { boxes: number; confirmed: number }>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ revision: number; boxes: number; confirmed: number }>`
    select compiled.fleet_revision as revision, count(*) as boxes,
      sum(case when device_status.confirmed_revision >= compiled.revision then 1 else 0 end) as confirmed
    from compiled join devices on devices.id = compiled.device_id
    left join device_status on device_status.device_id = compiled.device_id
    where devices.archived_at is null and compiled.fleet_revision in (${sql.join(ids)}) group by 1`.execute(queries);
  return new Map(
    rows.map(({ revision, boxes, confirmed }) => [revision, { boxes: Number(boxes), confirmed: Number(confirmed) }]),
  );
}

interface StoredChange {
  readonly kind: KindName;
  readonly recordId: number;
  readonly label: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

async function storedChanges(queries: Queries, revision: number): Promise<StoredChange[]> {
  const rows = await queries
    .selectFrom('revisionChanges')
    .selectAll()
    .where('revisionId', '=', revision)
    .orderBy('id')
    .execute();
  return rows.map(({ kind, recordId, label, before, after }) => ({
    kind: kind as KindName,
    recordId,
    label,
    before: before === null ? null : JSON.parse(before),
    after: after === null ? null : JSON.parse(after),
  }));
}

/** @throws {Refusal} when there is no such revision. */
export async function revisionDifferences(
  queries: Queries,
  revision: number,
  limit = 1000,
): Promise<RecordDifference[]> {
  const found = await queries.selectFrom('revisions').select('id').where('id', '=', revision).executeTakeFirst();
  if (!found) refuse('revision', `there is no revision ${revision}`, 'missing');
  const changes = await storedChanges(queries, revision);
  return recordDifferences(queries, changes.slice(0, limit));
}

interface AnyChange {
  readonly kind: KindName;
  readonly label: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** Field by field, with references by label, as people wrote them. */
export async function recordDifferences(queries: Queries, changes: readonly AnyChange[]): Promise<RecordDifference[]> {
  const found: RecordDifference[] = [];
  for (const { kind, label, before, after } of changes) {
    const was = await asRecord(queries, kinds[kind], before);
    const is = await asRecord(queries, kinds[kind], after);
    const fields = differences(was ?? {}, is ?? {}).map((one) => concealedField(kinds[kind], one));
    found.push({ kind, label, what: whatHappened(before, after), fields });
  }
  return found;
}

/** A secret that changed is told to have changed, and no more. */
function concealedField({ fields }: Kind, { path, before, after }: Difference): Difference {
  const conceal = fields[path]?.conceal ?? concealed;
  const told = (value: unknown) => (value === undefined ? value : conceal(value));
  return { path, before: told(before), after: told(after) };
}

async function asRecord(queries: Queries, kind: Kind, row: Row | null): Promise<unknown> {
  return row === null ? undefined : (await toWholeRecords(queries, kind, [row]))[0];
}

function whatHappened(before: Row | null, after: Row | null): RecordDifference['what'] {
  if (after === null) return 'purged';
  if (before === null) return 'added';
  if (before.archivedAt === null && after.archivedAt !== null) return 'archived';
  return before.archivedAt !== null && after.archivedAt === null ? 'restored' : 'changed';
}

/**
 * Takes one revision back, whichever it is, and leaves everything after it: a field that has been changed again since
 * is a conflict, because undoing would lose that later change. @throws {Refusal} naming the first such field.
 */
export async function undoRevision(edit: Edit, revision: number): Promise<void> {
  const changes = await storedChanges(edit.tx, revision);
  if (changes.length === 0) refuse('revision', `there is no revision ${revision} to undo`, 'missing');
  for (const one of changes.reverse()) {
    if (one.after === null) refuse('revision', `${one.kind} ${one.label} has been purged: that is final`, 'conflict');
    const [current] = await rowsByIds(edit.tx, kinds[one.kind], [one.recordId]);
    if (!current) refuse('revision', `${one.kind} ${one.label} is gone`, 'conflict');
    await undoOne(edit, one, current);
  }
}

async function undoOne(edit: Edit, { kind, label, before, after }: StoredChange, current: Row): Promise<void> {
  if (before === null) {
    await edit.archive(kind, current);
    return;
  }
  const changed = Object.keys(before).filter((column) => before[column] !== after?.[column]);
  for (const column of changed) {
    if (current[column] !== after?.[column]) {
      refuse(column.replace(/Id$/, ''), `of ${kind} ${label} has been changed again since then`, 'conflict');
    }
  }
  await edit.put(kind, current, Object.fromEntries(changed.map((column) => [column, before[column] ?? null])));
}
