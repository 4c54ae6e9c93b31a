/** Runs the same tests on SQLite and on a PostgreSQL that is started for them and thrown away afterwards. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Database, type DatabaseKind, openDatabase } from '../db/database.ts';

const run = promisify(execFile);
const nobody = 65_534;

export interface PostgresServer {
  /** Processor seconds aside, everything of it lies in this folder. */
  readonly folder: string;
  readonly pid: number;
  /** The address of a new, empty database. */
  createDatabase(): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Debian keeps the server's programs out of the path, one folder per version. */
function binFolder(): string {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('no PostgreSQL here: install the Debian package postgresql');
  return `/usr/lib/postgresql/${newest}/bin`;
}

/** PostgreSQL refuses to run as root. */
function unprivileged(command: string[]): [string, string[]] {
  const prefix = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const [program = '', ...rest] = [...prefix, ...command];
  return [program, rest];
}

/** `durable`: with fsync, for tests that kill it; without, everything is faster. */
export async function startPostgres(options: { durable?: boolean; folder?: string } = {}): Promise<PostgresServer> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'moat-postgres-'));
  const data = join(folder, 'data');
  if (!existsSync(data)) {
    chmodSync(folder, 0o755);
    if (process.getuid?.() === 0) chownSync(folder, nobody, nobody);
    const command = [join(binFolder(), 'initdb'), '-D', data, '-A', 'trust', '-U', 'moat', '-E', 'UTF8', '--no-sync'];
    await run(...unprivileged([...command, '--locale=C']), { cwd: '/' });
  }
  const settings = [`unix_socket_directories=${folder}`, 'listen_addresses=', 'max_connections=60'];
  if (!options.durable) settings.push('fsync=off', 'full_page_writes=off');
  const command = [join(binFolder(), 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const [program, rest] = unprivileged(command);
  const child = spawn(program, rest, { cwd: '/', stdio: 'ignore' });
  await answering(folder);
  let count = 0;
  return {
    folder,
    pid: child.pid ?? 0,
    async createDatabase() {
      count += 1;
      const name = `moat_${process.pid}_${count}`;
      await query(folder, `create database ${name}`);
      return `postgres://moat@localhost/${name}?host=${folder}`;
    },
    async stop(signal = 'SIGINT') {
      const gone = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await gone;
      }
    },
  };
}

async function query(folder: string, text: string): Promise<void> {
  const client = new pg.Client({ host: folder, user: 'moat', database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  await client.query(text).finally(() => client.end());
}

async function answering(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await query(folder, 'select 1');
      return;
    } catch (error) {
      if (attempt > 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'moat-portal-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let server: Promise<PostgresServer> | undefined;

function sharedServer(): Promise<PostgresServer> {
  server ??= startPostgres();
  return server;
}

// Top level, so that it runs after every test of the file.
after(async () => {
  const started = await server;
  if (!started) return;
  await started.stop();
  execFileSync('rm', ['-rf', started.folder]);
});

export async function newDatabaseAddress(kind: DatabaseKind): Promise<string> {
  if (kind === 'postgres') return (await sharedServer()).createDatabase();
  return `sqlite:${join(mkdtempSync(join(tmpdir(), 'moat-sqlite-')), 'moat.db')}`;
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
        if (kind === 'sqlite') rmSync(join(database.address, '..'), { recursive: true, force: true });
      }
    });
  }
}
