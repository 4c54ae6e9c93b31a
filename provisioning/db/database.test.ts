import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { onBoth } from '../testing/databases.ts';
import { type Database, openDatabase } from './database.ts';
import { announce, follow } from './feed.ts';

const customer = (name: string) => ({ name, email: '', note: '', archivedAt: null });

async function names({ queries }: Database): Promise<string[]> {
  const rows = await queries.selectFrom('customers').select('name').orderBy('id').execute();
  return rows.map(({ name }) => name);
}

onBoth('what is written is there for another connection; what throws is not', async (database, address) => {
  await database.write((tx) => tx.insertInto('customers').values(customer('acme')).execute());
  await assert.rejects(
    database.write(async (tx) => {
      await tx.insertInto('customers').values(customer('lost')).execute();
      throw new Error('changed my mind');
    }),
    /changed my mind/,
  );
  const other = await openDatabase(address);
  assert.deepEqual(await names(other), ['acme']);
  await other.close();
});

onBoth('two programs that write at the same time take turns', async (database, address) => {
  const other = await openDatabase(address);
  const addOne = (to: Database) =>
    to.write(async (tx) => {
      const { count } = await tx
        .selectFrom('customers')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      await tx
        .insertInto('customers')
        .values(customer(`c${count}`))
        .execute();
    });
  await Promise.all(Array.from({ length: 40 }, (_, i) => addOne(i % 2 ? database : other)));
  const expected = Array.from({ length: 40 }, (_, i) => `c${i}`);
  assert.deepEqual(await names(database), expected);
  await other.close();
});

onBoth('a commit elsewhere is heard at once', async (database, address) => {
  let heard = 0;
  const feed = await follow(database, () => {
    heard += 1;
  });
  const other = await openDatabase(address);
  await other.write(async (tx) => {
    await tx.insertInto('customers').values(customer('acme')).execute();
    await announce(tx, other.kind);
  });
  for (let waited = 0; heard === 0 && waited < 2000; waited += 20) await sleep(20);
  assert.ok(heard > 0);
  await feed.close();
  await other.close();
});

onBoth('a newer database is refused, not guessed at', async (database, address) => {
  await sql`insert into migrations (number) values (99)`.execute(database.queries);
  await assert.rejects(openDatabase(address), /migration 99/);
});
