/** Numbered, forward only: a migration that has been released is never edited, a new one is written. */
import { sql } from 'kysely';
import type { Database, Tx } from './database.ts';
import { firstTables } from './migrations/001-first-tables.ts';
import { passkeyTable } from './migrations/002-passkeys.ts';
import { dnsKeyColumns } from './migrations/003-dns-keys.ts';

const migrations: readonly ((tx: Tx, kind: Database['kind']) => Promise<void>)[] = [
  firstTables,
  passkeyTable,
  dnsKeyColumns,
];

/** @throws {Error} when the database was written by a newer program. */
export async function migrate({ kind, queries, write }: Database): Promise<void> {
  await sql`create table if not exists migrations (number integer primary key)`.execute(queries).catch(ignoreRace);
  if ((await lastApplied(queries)) === migrations.length) return;
  await write(async (tx) => {
    // Asked again behind the lock: another machine may have been here in between.
    const done = await lastApplied(tx);
    if (done > migrations.length) {
      throw new Error(`the database is at migration ${done}, this program knows ${migrations.length}: upgrade it`);
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < done) continue;
      await migration(tx, kind);
      await sql`insert into migrations (number) values (${index + 1})`.execute(tx);
    }
  });
}

async function lastApplied(queries: Tx | Database['queries']): Promise<number> {
  const { rows } = await sql<{ number: number | null }>`select max(number) as number from migrations`.execute(queries);
  return rows[0]?.number ?? 0;
}

/** PostgreSQL: two programs that create the same table at the same time, `if not exists` or not. */
function ignoreRace(error: { code?: string }): void {
  const uniqueViolation = '23505';
  if (error.code !== uniqueViolation) throw error;
}
