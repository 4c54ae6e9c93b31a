import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

async function start(path: string, words: readonly string[] = []): Promise<ChildProcess> {
  const script = fileURLToPath(new URL(path, import.meta.url));
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
  const child = spawn(process.execPath, [script, ...words], { stdio: [...stdio], serialization: 'advanced' });
  await once(child, 'message');
  return child;
}

/** As the kernel does it when the supervisor is killed: nobody reads, and the channel is shut. */
async function endWithoutSupervisor(child: ChildProcess): Promise<[number | null, string | null]> {
  child.stdout?.destroy();
  child.stderr?.destroy();
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  child.disconnect();
  return exited;
}

test('a service ends in good order although nobody reads what it says any more', async () => {
  assert.deepEqual(await endWithoutSupervisor(await start('supervised-child.ts')), [0, null]);
});

test('every service does', async () => {
  const state = mkdtempSync(join(tmpdir(), 'moat-supervised-'));
  try {
    const services = ['../tunnel/main.ts', '../lan/dns/main.ts', '../lan/ntp/main.ts'];
    const children = await Promise.all([
      ...services.map((path) => start(path)),
      start('../lan/dhcp/main.ts', ['--state', state]),
    ]);
    assert.deepEqual(
      await Promise.all(children.map(endWithoutSupervisor)),
      children.map(() => [0, null]),
    );
  } finally {
    rmSync(state, { recursive: true });
  }
});
