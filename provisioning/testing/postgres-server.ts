/** A PostgreSQL of one's own, on a socket in a temporary folder. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

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
  const child = await startedServer(() => spawn(program, rest, { cwd: '/', stdio: 'ignore' }), folder);
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

/** After a kill -9 the next server must wait until the last child of the old one has noticed. */
async function startedServer(start: () => ChildProcess, folder: string): Promise<ChildProcess> {
  let child = start();
  for (let attempt = 0; ; attempt += 1) {
    try {
      await query(folder, 'select 1');
      return child;
    } catch (error) {
      if (attempt > 600) throw error;
      await sleep(50);
      if (child.exitCode !== null) child = start();
    }
  }
}
