/** Two programs that add homes at the same time, and what must be true of the database whatever happened to them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Database } from '../../../provisioning/db/database.ts';

const writer = join(import.meta.dirname, '../../../provisioning/testing/crash-writer.ts');

export interface Writers {
  /** Names that somebody was told are saved; grows. */
  readonly acknowledged: string[];
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
}

/** Resolves at the first acknowledgement. */
export async function startWriters(address: string, number: number): Promise<Writers> {
  const acknowledged: string[] = [];
  const children = ['a', 'b'].map((letter) => {
    const child = spawn(process.execPath, [writer, address, `r${number}${letter}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let rest = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      acknowledged.push(...lines);
    });
    return child;
  });
  const started = Date.now();
  while (acknowledged.length === 0 && Date.now() - started < 20_000) await new Promise((done) => setTimeout(done, 2));
  return {
    acknowledged,
    signal(signal) {
      for (const child of children) child.kill(signal);
    },
    async kill() {
      await Promise.all(
        children.map(async (child) => {
          const gone = once(child, 'close');
          child.kill('SIGKILL');
          await gone;
        }),
      );
    },
  };
}

/** Sentences; empty when nothing acknowledged is lost, no range was given twice and no revision is half there. */
export async function mistakes({ queries }: Database, acknowledged: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  const devices = new Set((await queries.selectFrom('devices').select('name').execute()).map(({ name }) => name));
  const lost = [...acknowledged].filter((name) => !devices.has(name));
  if (lost.length > 0) found.push(`lost: ${lost.join(' ')}`);
  const ranges = await queries.selectFrom('ranges').select('prefix').execute();
  if (new Set(ranges.map(({ prefix }) => prefix)).size !== ranges.length) found.push('a range was given twice');
  if (ranges.length !== devices.size * 2) found.push(`${ranges.length} ranges for ${devices.size} devices`);
  const { rows } = await sql<{ id: number; changes: number }>`select r.id, count(c.id) as changes from revisions r
    left join revision_changes c on c.revision_id = r.id group by r.id order by r.id`.execute(queries);
  if (rows.some(({ id }, index) => id !== index + 1)) found.push('revisions have a gap');
  if (rows.slice(1).some(({ changes }) => changes !== 4)) found.push('a revision is half there');
  const { count } = await queries
    .selectFrom('compiled')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count !== devices.size) found.push(`${count} configurations for ${devices.size} devices`);
  return found;
}
