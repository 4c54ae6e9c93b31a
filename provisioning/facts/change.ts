/**
 * Every change of facts goes through here: one transaction that holds the edit, the configurations that follow from it,
 * and the revision that says who did what. What a box would refuse is refused before anything is saved.
 */
import { affectedDevices } from '../compile/affected.ts';
import { type ConfigurationChange, recompile } from '../compile/store.ts';
import type { Database, Tx } from '../db/database.ts';
import { announce } from '../db/feed.ts';
import { type Change, Edit } from './edit.ts';
import { kinds } from './kinds.ts';
import { chunksOf, labelsOf } from './records.ts';
import { Refusal, refusalOfText } from './refusal.ts';
import { type RecordDifference, recordDifferences } from './revisions.ts';

export interface ChangeRequest {
  /** Who: an operator's name, `root@cli`, or `device NAME`. */
  readonly author: string;
  readonly summary: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Works everything out, tells it, and saves nothing. */
  readonly preview?: boolean;
}

export interface LabelledChange extends Change {
  readonly label: string;
}

export interface Outcome<T> {
  /** null when nothing changed. */
  readonly revision: number | null;
  readonly changes: readonly LabelledChange[];
  /** The first of them as people see them. */
  readonly records: readonly RecordDifference[];
  readonly configurations: readonly ConfigurationChange[];
  readonly result: T;
}

const shownRecords = 200;

/** Carries the outcome of a preview out of the transaction that it rolls back. */
class Preview<T> extends Error {
  readonly outcome: Outcome<T>;
  constructor(outcome: Outcome<T>) {
    super('preview');
    this.outcome = outcome;
  }
}

/** @throws {Refusal} and then nothing has happened. */
export async function change<T>(
  database: Database,
  request: ChangeRequest,
  work: (edit: Edit) => Promise<T>,
): Promise<Outcome<T>> {
  try {
    return await database.write(async (tx) => {
      const outcome = await perform(tx, request, work);
      if (request.preview) throw new Preview(outcome);
      if (outcome.revision !== null) await announce(tx, database.kind);
      return outcome;
    });
  } catch (error) {
    if (error instanceof Preview) return error.outcome as Outcome<T>;
    throw refusalOfConstraint(error) ?? refusalOfText(error) ?? error;
  }
}

async function perform<T>(tx: Tx, request: ChangeRequest, work: (edit: Edit) => Promise<T>): Promise<Outcome<T>> {
  const edit = new Edit(tx, request.now);
  const result = await work(edit);
  const { changes } = edit;
  if (changes.length === 0) return { revision: null, changes: [], records: [], configurations: [], result };
  const revision = (await lastRevision(tx)) + 1;
  const deviceIds = await affectedDevices(tx, changes);
  const configurations = await recompile(tx, { deviceIds, moved: movedDevices(changes), fleetRevision: revision });
  const labelled = await label(tx, changes);
  const { author, summary, now: at } = request;
  await tx.insertInto('revisions').values({ id: revision, at, author, summary }).execute();
  for (const chunk of chunksOf(labelled)) {
    await tx
      .insertInto('revisionChanges')
      .values(
        chunk.map(({ kind, id, label, before, after }) => ({
          revisionId: revision,
          kind,
          recordId: id,
          label,
          before: before && JSON.stringify(before),
          after: after && JSON.stringify(after),
        })),
      )
      .execute();
  }
  // Here, where the records of a preview are still to be seen.
  const records = await recordDifferences(tx, labelled.slice(0, shownRecords));
  return { revision, changes: labelled, records, configurations, result };
}

function movedDevices(changes: readonly Change[]): Set<number> {
  const moved = changes.filter(({ kind, before, after }) => kind === 'device' && before?.movedTo !== after?.movedTo);
  return new Set(moved.map(({ id }) => id));
}

/** Counted without gaps: the writer's turn (see `Database.write`) is ours. */
export async function lastRevision(tx: Tx | Database['queries']): Promise<number> {
  const { last } = await tx
    .selectFrom('revisions')
    .select(({ fn }) => fn.max('id').as('last'))
    .executeTakeFirstOrThrow();
  return last ?? 0;
}

async function label(tx: Tx, changes: readonly Change[]): Promise<LabelledChange[]> {
  const names = new Map<string, ReadonlyMap<number, string>>();
  for (const kind of new Set(changes.map((one) => one.kind))) {
    const ids = changes.filter((one) => one.kind === kind).map(({ id }) => id);
    names.set(kind, await labelsOf(tx, kinds[kind], ids));
  }
  return changes.map((one) => ({ ...one, label: names.get(one.kind)?.get(one.id) ?? '' }));
}

const sqliteConstraint = 19;
const postgresIntegrity = '23';

/** The last line of defence; the words of `Edit` come first where they can. */
function refusalOfConstraint(error: unknown): Refusal | null {
  const { errcode, code, message, detail } = error as {
    errcode?: number;
    code?: string;
    message?: string;
    detail?: string;
  };
  const broken =
    errcode !== undefined ? (errcode & 0xff) === sqliteConstraint : (code?.startsWith(postgresIntegrity) ?? false);
  if (!broken) return null;
  const column = /\.(\w+)$/.exec(message ?? '')?.[1] ?? /\((\w+)\)=/.exec(detail ?? '')?.[1] ?? '';
  const field = column.replace(/_id$/, '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const message_ = 'another record stands in the way: this must be unique and refer to something that exists';
  return new Refusal([{ field, message: message_ }], 'conflict');
}
