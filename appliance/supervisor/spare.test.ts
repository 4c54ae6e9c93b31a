import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceRow } from './services.ts';
import { Spare } from './spare.ts';

const folder = mkdtempSync(join(tmpdir(), 'moat-spare-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const script = join(folder, 'service.mjs');
writeFileSync(
  script,
  `process.send({ kind: 'started' });
process.on('message', ({ id }) => process.send({ kind: 'status', id, status: process.pid }));
process.on('disconnect', () => process.exit(0));`,
);
const row: ServiceRow = {
  name: 'sample',
  script,
  arguments: () => [],
  user: 'nobody-of-that-name',
  capabilities: [],
  roles: ['home'],
  slice: () => null,
  heapMegabytes: 32,
};
const nothing = { message: () => {}, line: () => {}, exited: () => {} };

async function until<T>(read: () => T | null): Promise<T> {
  for (let tries = 0; tries < 400; tries += 1) {
    const value = read();
    if (value !== null) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it never came');
}

test('who takes it has a process that has started or is about to, and hears it from then on', async () => {
  const spare = new Spare(row, folder, 0);
  assert.equal(spare.take(nothing), null, 'there is none yet');
  spare.prepare();
  spare.prepare();
  const heard: unknown[] = [];
  let ended = '';
  const events = {
    message: (message: unknown) => heard.push(message),
    line: () => {},
    exited: (detail: string) => {
      ended = detail;
    },
  };
  const child = await until(() => spare.take(events));
  assert.equal(spare.pid, null, 'taken is taken');
  assert.equal(spare.take(nothing), null);
  assert.deepEqual(await until(() => heard[0] ?? null), { kind: 'started' });
  child.send({ id: 7 });
  assert.deepEqual(await until(() => heard[1] ?? null), { kind: 'status', id: 7, status: child.pid });
  child.kill('SIGKILL');
  assert.equal(await until(() => ended || null), 'signal SIGKILL');
});

test('the one that waits stands back behind those who work, until it is one of them', async () => {
  const spare = new Spare(row, folder, 0);
  spare.prepare();
  const pid = await until(() => spare.pid);
  const threads = () => readdirSync(`/proc/${pid}/task`).map(Number);
  await until(() => (threads().length > 1 ? true : null));
  assert.ok(threads().every((thread) => getPriority(thread) >= 15));
  await sleep(500); // has said `started` to nobody
  const heard: unknown[] = [];
  const child = spare.take({ ...nothing, message: (message) => void heard.push(message) });
  assert.deepEqual(await until(() => heard[0] ?? null), { kind: 'started' });
  if (process.getuid?.() === 0) assert.ok(threads().every((thread) => getPriority(thread) === 0));
  child?.kill('SIGKILL');
});

test('one that ends while it waits is forgotten; one that is dropped is gone', async () => {
  const spare = new Spare(row, folder, 0);
  spare.prepare();
  const first = await until(() => spare.pid);
  process.kill(first, 'SIGKILL');
  await until(() => (spare.pid === null ? true : null));
  spare.prepare();
  const second = await until(() => spare.pid);
  spare.drop();
  assert.equal(spare.pid, null);
  await until(() => {
    try {
      process.kill(second, 0);
      return null;
    } catch {
      return true;
    }
  });
});
