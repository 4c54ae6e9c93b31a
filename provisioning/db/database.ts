/** Opens the one database of a portal, SQLite or PostgreSQL, behind one query layer. */
import { CamelCasePlugin, type Dialect, Kysely, sql, type Transaction } from 'kysely';
import { migrate } from './migrate.ts';
import { postgresDialect } from './postgres.ts';
import { sqliteDialect } from './sqlite.ts';
import type { Tables } from './tables.ts';

export type DatabaseKind = 'sqlite' | 'postgres';
export type Queries = Kysely<Tables> | Transaction<Tables>;
export type Tx = Transaction<Tables>;

export interface Database {
  readonly kind: DatabaseKind;
  /** The path of the SQLite file, or the address of the PostgreSQL server. */
  readonly address: string;
  readonly queries: Kysely<Tables>;
  /** One writer at a time, over all processes and machines of this database; rolled back when `work` throws. */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Advisory lock of every change; the number only has to differ from those of other programs in the database. */
const writerLock = 0x6d6f6174;

/** `sqlite:PATH` or `postgres://...`; brings the tables up to date. @throws {Error} that begins with `database:` and says where. */
export async function openDatabase(address: string): Promise<Database> {
  const { kind, dialect, place } = dialectOf(address);
  const queries = new Kysely<Tables>({ dialect, plugins: [new CamelCasePlugin()] });
  const database: Database = {
    kind,
    address: place,
    queries,
    write: (work) =>
      queries.transaction().execute(async (tx) => {
        // SQLite's transactions are all `begin immediate` (see sqlite.ts), which is the same promise.
        if (kind === 'postgres') await sql`select pg_advisory_xact_lock(${writerLock})`.execute(tx);
        return work(tx);
      }),
    close: () => queries.destroy(),
  };
  try {
    await migrate(database);
  } catch (error) {
    await queries.destroy();
    throw new Error(`database: ${placeToShow(kind, place)}: ${(error as Error).message}`, { cause: error });
  }
  return database;
}

/** Never the whole address: it may hold a password. */
function placeToShow(kind: DatabaseKind, place: string): string {
  if (kind === 'sqlite') return place;
  const { host, searchParams } = new URL(place);
  return `PostgreSQL at ${searchParams.get('host') ?? host}`;
}

function dialectOf(address: string): { kind: DatabaseKind; dialect: Dialect; place: string } {
  if (address.startsWith('sqlite:')) {
    const place = address.slice('sqlite:'.length);
    return { kind: 'sqlite', dialect: sqliteDialect(place), place };
  }
  if (/^postgres(ql)?:\/\//.test(address)) {
    return { kind: 'postgres', dialect: postgresDialect(address), place: address };
  }
  throw new Error('database: expected "sqlite:PATH" or "postgres://USER@HOST/NAME"');
}
