/**
 * Kill -9 at many moments while two programs add homes at the same time: nothing acknowledged is lost, no address range is
 * given twice, no revision is half there. PostgreSQL itself is killed too. Usage: crash.ts [points] [sqlite|postgres]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../../provisioning/db/database.ts';
import { firstFacts } from '../../../provisioning/testing/facts.ts';
import { type PostgresServer, startPostgres } from '../../../provisioning/testing/postgres-server.ts';
import { mistakes, startWriters } from './writers.ts';

const [pointsText = '200', only = ''] = process.argv.slice(2);
const points = Number(pointsText);

/** Two writers, killed after `milliseconds` from their first acknowledgement; the names that were acknowledged. */
async function round(address: string, number: number, milliseconds: number, also: () => void): Promise<string[]> {
  const writers = await startWriters(address, number);
  await new Promise((done) => setTimeout(done, milliseconds));
  also();
  await writers.kill();
  return writers.acknowledged;
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
