import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompiledQuery, type DatabaseConnection, type Driver, SqliteDialect, SqliteDriver } from 'kysely';

const keptStatements = 256;
/** SQLite waits inside the call, which stops the whole process: only for the moments of opening and of a checkpoint. */
const blockingMilliseconds = 500;
const turnMilliseconds = 120_000;
const busy = 5;

/**
 * Kysely's own SQLite dialect speaks to better-sqlite3; `node:sqlite` needs no compiler, so the few calls that the
 * dialect makes are answered from it. WAL with synchronous=FULL: what is committed is on the disk.
 */
export function sqliteDialect(path: string): SqliteDialect {
  return new TurnTakingDialect({
    database: async () => {
      const database = new DatabaseSync(path, { timeout: blockingMilliseconds });
      database.exec('pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on;');
      return adapt(database);
    },
  });
}

class TurnTakingDialect extends SqliteDialect {
  readonly #config: ConstructorParameters<typeof SqliteDialect>[0];

  constructor(config: ConstructorParameters<typeof SqliteDialect>[0]) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new TurnTakingDriver(this.#config);
  }
}

/** Every transaction is a writer, and waits for its turn without holding up anything else in this process. */
class TurnTakingDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    for (let waited = 0; ; waited += 5) {
      try {
        await connection.executeQuery(CompiledQuery.raw('begin immediate'));
        return;
      } catch (error) {
        if ((error as { errcode?: number }).errcode !== busy || waited > turnMilliseconds) throw error;
      }
      await sleep(5);
    }
  }
}

function adapt(database: DatabaseSync) {
  const kept = new Map<string, ReturnType<typeof adaptStatement>>();
  const begin = { ...adaptStatement(database.prepare('begin immediate')), run: () => beginNow(database) };
  return {
    close: () => database.close(),
    prepare(text: string) {
      if (text === 'begin immediate') return begin;
      const statement = kept.get(text) ?? adaptStatement(database.prepare(text));
      if (kept.size >= keptStatements) kept.clear();
      kept.set(text, statement);
      return statement;
    },
  };
}

/** Fails at once when another process writes; the driver above asks again. */
function beginNow(database: DatabaseSync): { changes: number; lastInsertRowid: number } {
  database.exec('pragma busy_timeout=0');
  try {
    database.exec('begin immediate');
  } finally {
    database.exec(`pragma busy_timeout=${blockingMilliseconds}`);
  }
  return { changes: 0, lastInsertRowid: 0 };
}

function adaptStatement(statement: StatementSync) {
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters: readonly unknown[]) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...(parameters as SQLInputValue[])),
  };
}
