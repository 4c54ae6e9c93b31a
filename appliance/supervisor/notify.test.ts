import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { notifySystemd } from './notify.ts';

test('systemd hears that we are ready, that we live, and that we stop; without it nothing is started', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-notify-'));
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });
  // Stands in for the program of systemd: what it is told to say is what counts.
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >>${folder}/said\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'said'), '');
  process.env.PATH = `${folder}:${path}`;
  const said = () => readFileSync(join(folder, 'said'), 'utf8').trim().split('\n');
  const until = async (word: string) => {
    const deadline = performance.now() + 5000;
    while (!said().includes(word) && performance.now() < deadline) await new Promise((again) => setTimeout(again, 10));
    assert.ok(said().includes(word), `${word} in ${said()}`);
  };

  notifySystemd({})();
  const stopping = notifySystemd({ NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '100000' });
  await until('READY=1');
  await until('WATCHDOG=1');
  stopping();
  await until('STOPPING=1');
  assert.equal(said().filter((word) => word === 'READY=1').length, 1);
});
