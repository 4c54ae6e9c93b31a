import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const portalCommand = join(import.meta.dirname, '../bin/portal');

interface Result {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

function portal(folder: string, ...words: string[]): Promise<Result> {
  return new Promise((done) => {
    execFile(portalCommand, ['--dir', folder, ...words], (error, out, stderr) => {
      done({ status: typeof error?.code === 'number' ? error.code : 0, out, error: stderr });
    });
  });
}

test('from an empty folder to an enrolment code, undone, moved and restored', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moat-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const one = join(folder, 'one');
  const run = async (...words: string[]) => {
    const result = await portal(one, ...words);
    assert.equal(result.status, 0, result.error);
    return result.out;
  };
  await run('init', '--address', '198.51.100.10', '--network', '10.1.0.0/16', '--api-port', '9443');
  assert.equal(statSync(join(one, 'identity.key')).mode & 0o777, 0o600);
  assert.equal(statSync(join(one, 'moat.db')).mode & 0o777, 0o600);
  await run('customer', 'add', 'acme', '--email', 'home@acme.example');
  const added = JSON.parse(
    await run('--json', 'device', 'add', 'home-1', '--customer', 'acme', '--setting', 'tunnel.mtu=1400'),
  );
  assert.deepEqual([added.revision, added.configurations], [3, [{ device: 'home-1', revision: 1 }]]);

  const refused = await portal(one, 'device', 'set', 'home-1', '--setting', 'tunnel.mtu=90');
  assert.deepEqual([refused.status, refused.out], [1, '']);
  assert.match(refused.error, /^portal: tunnel\.mtu: expected at least 1280, found 90/);

  const { token } = JSON.parse(await run('--json', 'enroll-code', 'home-1', '--mail'));
  const [version, url] = token.split('.');
  assert.deepEqual([version, Buffer.from(url, 'base64url').toString()], ['moat1', 'https://198.51.100.10:9443']);
  const [mail = ''] = readdirSync(join(one, 'mail'));
  assert.match(readFileSync(join(one, 'mail', mail), 'utf8'), /^To: home@acme\.example\r$/m);

  const backup = join(folder, 'backup');
  await run('backup', backup);
  await run('undo', '3');
  assert.equal(JSON.parse(await run('--json', 'device', 'list')).length, 0);
  const two = join(folder, 'two');
  assert.equal((await portal(two, 'restore', backup)).status, 0);
  const [device] = JSON.parse((await portal(two, '--json', 'device', 'list')).out);
  assert.equal(device.name, 'home-1');

  await run('export', join(folder, 'fleet.jsonl'));
  assert.match(
    (await portal(one, 'import', join(folder, 'fleet.jsonl'))).error,
    /^portal: line 2: name: 'acme' is taken/,
  );
  assert.match(await run('completion'), /"portal device"\) COMPREPLY=\(\$\(compgen -W "add set list/);
});
