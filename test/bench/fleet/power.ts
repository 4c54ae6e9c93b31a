/**
 * Power cuts while two programs add homes: the database lies on a disk of its own (ext4 on a loop device), and what that disk holds at
 * a moment is copied away. What was written but not flushed is not on it, as after a power cut. Nothing acknowledged may be
 * missing from the copy. Usage (as root): power.ts [points] [sqlite|postgres]
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../provisioning/db/database.ts';
import { firstFacts } from '../../../provisioning/testing/facts.ts';
import { startPostgres } from '../../../provisioning/testing/postgres-server.ts';
import { mistakes, startWriters } from './writers.ts';

const [pointsText = '200', only = ''] = process.argv.slice(2);
const points = Number(pointsText);
const run = (program: string, ...words: string[]) => execFileSync(program, words, { stdio: 'pipe' });

/** A file that is a disk. `commit=600`: the file system writes when it is told to, and hardly ever by itself. */
class Disk {
  readonly #image: string;
  readonly folder: string;

  /** `path`: where it is mounted; beside it lies the image. */
  constructor(path: string) {
    this.#image = `${path}.img`;
    this.folder = path;
    mkdirSync(path);
  }

  format(megabytes: number): void {
    run('truncate', '-s', `${megabytes}M`, this.#image);
    run('mkfs.ext4', '-q', '-F', this.#image);
  }

  mount(): void {
    run('mount', '-o', 'loop,commit=600', this.#image, this.folder);
  }

  /** Never lazily: a file system that is still in use would go on writing into the image. */
  async unmount(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        run('umount', this.folder);
        return;
      } catch (error) {
        // Children of a server that has just ended.
        if (tries > 200) throw error;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** What would be left if the power went now. */
  cut(path: string): Disk {
    const other = new Disk(path);
    run('cp', '--sparse=always', this.#image, other.#image);
    return other;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.#image, { force: true });
  }
}

interface Kind {
  readonly megabytes: number;
  /** The database on the disk at `folder`; `after`: the power was away. */
  open(folder: string, after: boolean): Promise<Opened>;
}

interface Opened {
  readonly address: string;
  readonly pids: readonly number[];
  close(): Promise<void>;
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        return readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(pid);
      } catch {
        return false;
      }
    });
}

let databaseName = '';
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // A backend that has ended meanwhile.
    }
  }
}

const kinds: Readonly<Record<'sqlite' | 'postgres', Kind>> = {
  sqlite: {
    megabytes: 48,
    async open(folder) {
      return { address: `sqlite:${join(folder, 'moat.db')}`, pids: [], async close() {} };
    },
  },
  postgres: {
    megabytes: 400,
    async open(disk, after) {
      const folder = join(disk, 'pg');
      mkdirSync(folder, { recursive: true });
      // Of processes that the power cut ended.
      const locks = ['data/postmaster.pid', '.s.PGSQL.5432.lock', '.s.PGSQL.5432'];
      if (after) for (const lock of locks) rmSync(join(folder, lock), { force: true });
      const server = await startPostgres({ durable: true, folder });
      // One process makes one database: its name is the same on the copy.
      const made = after ? null : await server.createDatabase();
      if (made !== null) databaseName = new URL(made).pathname.slice(1);
      const address = `postgres://moat@localhost/${databaseName}?host=${folder}`;
      return { address, pids: [server.pid, ...childrenOf(server.pid)], close: () => server.stop('SIGQUIT') };
    },
  },
};

async function measure(name: 'sqlite' | 'postgres'): Promise<boolean> {
  const { megabytes, open } = kinds[name];
  const folder = mkdtempSync(join(tmpdir(), 'moat-power-'));
  const disk = new Disk(join(folder, 'disk'));
  // The server of PostgreSQL runs as nobody.
  chmodSync(folder, 0o755);
  disk.format(megabytes);
  disk.mount();
  const acknowledged = new Set<string>();
  const wrong: string[] = [];
  let original: Opened | null = null;
  try {
    original = await open(disk.folder, false);
    const first = await openDatabase(original.address);
    await firstFacts(first);
    await first.close();
    run('sync', '-f', disk.folder);
    for (let number = 0; number < points && wrong.length === 0; number += 1) {
      const writers = await startWriters(original.address, number);
      await new Promise((done) => setTimeout(done, (number * 13) % 300));
      // What was told by now must be on the disk by now; everybody stands still while it is copied.
      writers.signal('SIGSTOP');
      const pids = [...new Set(original.pids.flatMap((pid) => [pid, ...childrenOf(pid)]))];
      signalAll(pids, 'SIGSTOP');
      for (const told of writers.acknowledged) acknowledged.add(told);
      const cut = disk.cut(join(folder, `cut-${number}`));
      signalAll(pids, 'SIGCONT');
      await writers.kill();
      wrong.push(...(await examined(cut, open, acknowledged)));
      for (const told of writers.acknowledged) acknowledged.add(told);
    }
  } finally {
    await original?.close();
    await disk.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
  const verdict = wrong.length === 0 ? 'ok  ' : 'FAIL';
  console.log(
    `${verdict} ${name}: power cut at ${points} points, ${acknowledged.size} acknowledged changes, ${wrong.join('; ') || 'none lost'}`,
  );
  return wrong.length === 0;
}

async function examined(cut: Disk, open: Kind['open'], acknowledged: ReadonlySet<string>): Promise<string[]> {
  cut.mount();
  try {
    const server = await open(cut.folder, true);
    try {
      const database = await openDatabase(server.address);
      const found = await mistakes(database, acknowledged);
      await database.close();
      return found;
    } finally {
      await server.close();
    }
  } finally {
    await cut.unmount();
    cut.remove();
  }
}

const chosen = (['sqlite', 'postgres'] as const).filter((kind) => only === '' || kind === only);
for (const kind of chosen) if (!(await measure(kind))) process.exitCode = 1;
