/**
 * Tells a running portal that somebody (the `portal` command, another machine) has committed something. It says only
 * that it happened; what changed is asked from the tables, so a lost notification costs nothing but its moment.
 */
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import pg from 'pg';
import type { Database, Tx } from './database.ts';
import { connectionOf } from './postgres.ts';

const channel = 'moat';
const pollMilliseconds = 150;
const reconnectMilliseconds = 1000;

export interface Feed {
  close(): Promise<void>;
}

/** Part of the transaction: heard when it commits, and only then. */
export async function announce(tx: Tx, kind: Database['kind']): Promise<void> {
  if (kind === 'postgres') await sql`select pg_notify(${channel}, '')`.execute(tx);
}

/** Calls `heard` soon after each commit by anyone; also after a lost connection has come back. */
export async function follow(database: Database, heard: () => void): Promise<Feed> {
  return database.kind === 'sqlite' ? followFile(database.address, heard) : followServer(database.address, heard);
}

/** `data_version` differs after a commit by any other connection, in this process or in another. */
function followFile(path: string, heard: () => void): Feed {
  const watcher = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
  const statement = watcher.prepare('pragma data_version');
  const version = () => statement.get()?.data_version;
  let last = version();
  const timer = setInterval(() => {
    const now = version();
    if (now === last) return;
    last = now;
    heard();
  }, pollMilliseconds);
  return {
    async close() {
      clearInterval(timer);
      watcher.close();
    },
  };
}

async function followServer(address: string, heard: () => void): Promise<Feed> {
  let client: pg.Client | null = null;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client({ ...connectionOf(address), keepAlive: true });
    next.on('error', () => {}); // always followed by `end`
    next.on('end', () => lost(next));
    next.on('notification', heard);
    await next.connect();
    await next.query(`listen ${channel}`);
    client = next;
    if (closed) await next.end();
  }
  function lost(from: pg.Client): void {
    if (closed || from !== client) return;
    retry();
  }
  function retry(): void {
    client = null;
    timer = setTimeout(() => connect().then(heard, retry), reconnectMilliseconds);
  }

  await connect();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await client?.end();
    },
  };
}
