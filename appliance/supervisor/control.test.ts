import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { askControl, NotRunningError, serveControl } from './control.ts';

test('the control socket answers its owner, one at a time, and outlives nonsense', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-control-'));
  t.after(() => rmSync(directory, { recursive: true }));
  await assert.rejects(askControl(directory, { kind: 'status' }), NotRunningError);

  writeFileSync(join(directory, 'control.sock'), ''); // what a crash leaves
  const server = await serveControl(directory, async ({ kind }) => ({ ok: false, problem: `asked for ${kind}` }));
  t.after(() => server.close());
  assert.equal(statSync(join(directory, 'control.sock')).mode & 0o777, 0o600);
  assert.deepEqual(await askControl(directory, { kind: 'reload' }), { ok: false, problem: 'asked for reload' });

  await assert.rejects(
    serveControl(directory, async () => ({ ok: false, problem: '' })),
    /already running/,
  );

  await new Promise<void>((resolve) => {
    const flood = createConnection(join(directory, 'control.sock'));
    flood.on('error', () => {});
    flood.on('close', () => resolve());
    flood.write('x'.repeat(100_000)); // no line end: the server hangs up instead of collecting
  });
  assert.equal((await askControl(directory, { kind: 'status' })).ok, false);
});

test('who hangs up before the answer takes nothing with them', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'moat-control-'));
  t.after(() => rmSync(directory, { recursive: true }));
  let asking: Socket | null = null;
  const server = await serveControl(directory, async () => {
    // Gone before we could hear of it: writing the answer is EPIPE, which would end a process that does not listen.
    asking?.destroy();
    return { ok: false, problem: 'late' };
  });
  t.after(() => server.close());
  asking = createConnection(join(directory, 'control.sock'));
  asking.write('{"kind":"status"}\n');
  await once(asking, 'close');
  asking = null;
  await setTimeout(50);
  assert.deepEqual(await askControl(directory, { kind: 'status' }), { ok: false, problem: 'late' });
});
