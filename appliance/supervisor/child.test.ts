import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine, startChild } from './child.ts';
import { type ServiceRow, services } from './services.ts';

const user = { uid: 970, gid: 971 };

test('each service runs with its capabilities and no others, under its own user where there is one', () => {
  for (const row of services) {
    const line = commandLine(row, '/state', true, user).join(' ');
    const granted = ['-all', ...row.capabilities.map((name) => `+${name}`)].join(',');
    for (const set of ['inh-caps', 'ambient-caps', 'bounding-set']) assert.ok(line.includes(`--${set}=${granted}`));
    assert.match(line, /--reuid=970 --regid=971 --clear-groups/);
    assert.match(line, /--no-new-privs --pdeathsig=KILL/);
  }
  const [tunnel] = services;
  assert.ok(tunnel);
  assert.doesNotMatch(commandLine(tunnel, '/state', true, null).join(' '), /reuid/);
});

test('only the tunnel may touch the network of the host', () => {
  const powerful = services.filter(({ capabilities }) => capabilities.includes('net_admin'));
  assert.deepEqual(
    powerful.map(({ name }) => name),
    ['tunnel'],
  );
});

test('what compiles is not what stays: the first start of all is two, unless somebody waits for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-child-'));
  try {
    const [runs, script] = [join(folder, 'runs'), join(folder, 'sample.ts')];
    writeFileSync(
      script,
      `import { appendFileSync } from 'node:fs';
      appendFileSync(${JSON.stringify(runs)}, process.send ? 'works ' : 'compiles ');
      process.send?.({ kind: 'started' });
      process.on('disconnect', (why: string) => process.exit(0));`,
    );
    const [tunnel] = services as [ServiceRow, ...ServiceRow[]];
    const row = { ...tunnel, name: 'sample', script, user: 'nobody-of-that-name' };
    const start = async (isAwaited: boolean) => {
      writeFileSync(runs, '');
      const heard = await new Promise<unknown>((resolve, reject) => {
        const events = { message: resolve, line: () => {}, exited: reject };
        startChild(row, folder, events, isAwaited).once('message', function (this: { kill(): void }) {
          this.kill();
        });
      });
      assert.deepEqual(heard, { kind: 'started' });
      return readFileSync(runs, 'utf8').trim();
    };
    assert.equal(await start(true), 'works');
    assert.equal(await start(false), 'compiles works');
    assert.equal(await start(false), 'works');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
