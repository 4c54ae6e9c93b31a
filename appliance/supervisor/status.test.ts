import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TunnelStatus } from '../tunnel/status.ts';
import type { ServiceStatus } from './service-runner.ts';
import { applianceStatus } from './status.ts';

const tunnel = {
  role: 'home',
  state: 'up',
  problems: [],
  peers: [{ name: 'office', state: 'up' }],
} as unknown as TunnelStatus;
const facts = {
  version: '0',
  uptimeSeconds: 1,
  configFile: 'home.toml',
  residentOctets: 1,
  configProblem: null,
  configured: true,
  tunnel,
  services: [],
  logLinesLost: 0,
};

test('one sentence says it all', () => {
  assert.equal(applianceStatus(facts).sentence, 'The tunnel to office is up.');
  const portal = { ...tunnel, role: 'portal' } as TunnelStatus;
  assert.equal(applianceStatus({ ...facts, tunnel: portal }).sentence, 'The portal accepts its boxes: 1 of 1 are up.');
});

test('a refused configuration is said, whether or not an older one is in force', () => {
  const problem = { ...facts, configProblem: 'role: expected "home" or "portal", found "x"\nname: unknown field' };
  const kept = applianceStatus(problem);
  assert.equal(kept.state, 'up');
  assert.match(kept.sentence, /home\.toml is refused, the one before stays in force: role: .*; name: unknown field/);
  const none = applianceStatus({ ...problem, configured: false, tunnel: null });
  assert.equal(none.state, 'down');
  assert.match(none.sentence, /nothing runs until it is mended/);
});

test('a service that does not do its work is named beside a tunnel that is up', () => {
  const dns = { name: 'dns', state: 'waiting', problem: 'The dns service keeps ending.' } as unknown as ServiceStatus;
  const status = applianceStatus({ ...facts, services: [dns] });
  assert.deepEqual([status.state, status.sentence], ['up', 'The dns service keeps ending.']);
});
