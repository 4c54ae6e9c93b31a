/** Runs the same tests on SQLite and on a PostgreSQL that is started for them and thrown away afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Database, type DatabaseKind, openDatabase } from '../db/database.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

let server: Promise<PostgresServer> | undefined;

function sharedServer(): Promise<PostgresServer> {
  server ??= startPostgres();
  return server;
}

const folders: string[] = [];

// Top level, so that it runs after every test of the file.
after(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  const started = await server;
  if (!started) return;
  await started.stop();
  rmSync(started.folder, { recursive: true, force: true });
});

export async function newDatabaseAddress(kind: DatabaseKind): Promise<string> {
  if (kind === 'postgres') return (await sharedServer()).createDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'moat-sqlite-'));
  folders.push(folder);
  return `sqlite:${join(folder, 'moat.db')}`;
}

/** A PostgreSQL costs seconds and a Debian package: `npm test` asks for it, `npm run check` does without. */
export const testedKinds: readonly DatabaseKind[] =
  process.env.MOAT_TEST_POSTGRES === '1' ? ['sqlite', 'postgres'] : ['sqlite'];

/** One test per database; each gets an empty one of its own. */
export function onBoth(name: string, body: (database: Database, address: string) => Promise<void>): void {
  for (const kind of testedKinds) {
    test(`${kind}: ${name}`, async () => {
      const address = await newDatabaseAddress(kind);
      const database = await openDatabase(address);
      try {
        await body(database, address);
      } finally {
        await database.close();
      }
    });
  }
}
