/** Whether this portal does its work, for whoever watches the machine: answered on the same loopback door as the metrics. */
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';

/** A write that is committed, and leaves nothing. @throws {Error} when the database cannot be written. */
export async function proveDatabase(database: Database): Promise<void> {
  await database.write(async (tx) => {
    // An update to the same value would be no write at all: SQLite compares before it touches a page.
    await sql`insert into migrations (number) values (-1)`.execute(tx);
    await sql`delete from migrations where number = -1`.execute(tx);
  });
}
