import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { sql } from 'kysely';
import { onBothPortals } from '../testing/portal.ts';

onBothPortals('health is a write that is on the disk, and says so when it cannot be', async (portal) => {
  const { database, metricsPort } = portal;
  const ask = () => fetch(`http://127.0.0.1:${metricsPort}/health`);
  const written = () => statSync(`${database.address}-wal`, { bigint: true }).mtimeNs;
  const before = database.kind === 'sqlite' ? written() : 0n;
  const good = await ask();
  assert.equal(good.status, 200);
  if (database.kind === 'sqlite') assert.ok(written() > before, 'the log of writes was written');
  const { rows } = await sql<{ n: number }>`select min(number) as n from migrations`.execute(database.queries);
  assert.equal(Number(rows[0]?.n), 1, 'nothing is left of it');
  if (database.kind !== 'sqlite') return;
  await sql`pragma query_only = on`.execute(database.queries);
  const bad = await ask();
  assert.equal(bad.status, 500);
  assert.match(await bad.text(), /^database: .*(readonly|read-only|query_only)/i);
  await sql`pragma query_only = off`.execute(database.queries);
});
