/**
 * Kill -9 at many moments while two programs add homes at the same time: nothing acknowledged is lost, no address range is
 * given twice, no revision is half there. PostgreSQL itself is killed too. Usage: crash.ts [points] [sqlite|postgres]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../../../provisioning/db/database.ts';
import { firstFacts } from '../../../provisioning/testing/facts.ts';
import { type PostgresServer, startPostgres } from '../../../provisioning/testing/postgres-server.ts';

const [pointsText = '200', only = ''] = process.argv.slice(2);
const points = Number(pointsText);
const writer = join(import.meta.dirname, '../../../provisioning/testing/crash-writer.ts');

/** Two writers, killed after `milliseconds` from their first acknowledgement; the names that were acknowledged. */
async function round(address: string, number: number, milliseconds: number, also: () => void): Promise<string[]> {
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
  await new Promise((done) => setTimeout(done, milliseconds));
  also();
  await Promise.all(
    children.map(async (child) => {
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      await gone;
    }),
  );
  return acknowledged;
}

async function mistakes({ queries }: Database, acknowledged: ReadonlySet<string>): Promise<string[]> {
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

async function measure(kind: 'sqlite' | 'postgres'): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'moat-crash-'));
  let server: PostgresServer | null = kind === 'postgres' ? await startPostgres({ durable: true }) : null;
  const address = server ? await server.createDatabase() : `sqlite:${join(folder, 'moat.db')}`;
  const first = await openDatabase(address);
  await firstFacts(first);
  await first.close();
  const acknowledged = new Set<string>();
  const wrong: string[] = [];
  for (let number = 0; number < points && wrong.length === 0; number += 1) {
    // Every fifth time the database server dies with everything that it is doing.
    const killServer = server !== null && number % 5 === 0;
    const serverGone = { done: Promise.resolve() };
    const names = await round(address, number, (number * 13) % 300, () => {
      if (killServer && server) serverGone.done = server.stop('SIGKILL');
    });
    await serverGone.done;
    if (killServer && server) server = await startPostgres({ durable: true, folder: server.folder });
    for (const name of names) acknowledged.add(name);
    const database = await openDatabase(address);
    wrong.push(...(await mistakes(database, acknowledged)));
    await database.close();
  }
  if (server) {
    await server.stop();
    rmSync(server.folder, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
  const verdict = wrong.length === 0 ? 'ok  ' : 'FAIL';
  console.log(
    `${verdict} ${kind}: killed at ${points} points, ${acknowledged.size} acknowledged changes, ${wrong.join('; ') || 'none lost'}`,
  );
  return wrong.length === 0;
}

const kinds = (['sqlite', 'postgres'] as const).filter((kind) => only === '' || kind === only);
for (const kind of kinds) if (!(await measure(kind))) process.exitCode = 1;
