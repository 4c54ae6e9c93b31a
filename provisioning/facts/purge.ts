import { sql } from 'kysely';
import type { Database, Tx } from '../db/database.ts';
import { type KindName, kindNames, kinds } from './kinds.ts';
import { chunksOf } from './records.ts';

/** Rows of other tables that go with a device. */
const ofDevice = ['compiled', 'enrolCodes', 'deviceStatus', 'samples'] as const;

/**
 * Deletes what was archived before a time, and what the history says of it. Final: address ranges become free, names
 * can be used again, and nothing of it can be undone. Returns how many records of each kind are gone.
 */
export function purge(database: Database, archivedBefore: number): Promise<Partial<Record<KindName, number>>> {
  return database.write(async (tx) => {
    const gone: Partial<Record<KindName, number>> = {};
    // Backwards through the order of references: what refers goes before what is referred to.
    for (const name of [...kindNames].reverse()) {
      const ids = await purgeable(tx, name, archivedBefore);
      if (ids.length > 0) gone[name] = ids.length;
      for (const chunk of chunksOf(ids)) await deleteRecords(tx, name, chunk);
    }
    return gone;
  });
}

/** Not what something that stays still refers to: an archived policy of an archived site that is younger. */
async function purgeable(tx: Tx, name: KindName, archivedBefore: number): Promise<number[]> {
  const table = sql.table(kinds[name].table);
  const stays = Object.values(kinds).flatMap((other) =>
    Object.entries(other.fields)
      .filter(([, field]) => field.to === name)
      .map(
        ([field]) =>
          sql`and not exists (select 1 from ${sql.table(other.table)} as r where ${sql.ref(`r.${field}Id`)} = t.id)`,
      ),
  );
  const query = sql<{ id: number }>`select id from ${table} as t
    where archived_at is not null and archived_at < ${archivedBefore} ${sql.join(stays, sql` `)}`;
  return (await query.execute(tx)).rows.map(({ id }) => id);
}

async function deleteRecords(tx: Tx, name: KindName, ids: readonly number[]): Promise<void> {
  if (name === 'device') {
    for (const table of ofDevice) await tx.deleteFrom(table).where('deviceId', 'in', ids).execute();
  }
  await sql`delete from ${sql.table(kinds[name].table)} where id in (${sql.join(ids)})`.execute(tx);
  await tx
    .updateTable('revisionChanges')
    .set({ before: null, after: null })
    .where('kind', '=', name)
    .where('recordId', 'in', ids)
    .execute();
}
