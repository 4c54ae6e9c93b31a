import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from './child.ts';
import { services } from './services.ts';

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
