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
  notes: [],
  configFile: 'home.toml',
  residentOctets: 1,
  configProblem: null,
  hostProblems: [],
  configuration: { state: 'settled', generation: null, proof: '' } as const,
  zones: {},
  tunnel,
  services: [],
  hardware: null,
  temperatureCelsius: null,
  logLinesLost: 0,
};

test('one sentence says it all', () => {
  assert.equal(applianceStatus(facts).sentence, 'The tunnel to office is up.');
  const portal = { ...tunnel, role: 'portal' } as TunnelStatus;
  assert.equal(applianceStatus({ ...facts, tunnel: portal }).sentence, 'The portal accepts its boxes: 1 of 1 are up.');
});

test('a refused configuration is said, and the tunnel of the one before is up all the same', () => {
  const kept = applianceStatus({ ...facts, configProblem: 'The configuration is refused.' });
  assert.deepEqual([kept.state, kept.sentence], ['up', 'The configuration is refused.']);
  assert.equal(applianceStatus({ ...facts, configProblem: 'It is refused.', tunnel: null }).state, 'down');
});

test('a service that does not do its work is named beside a tunnel that is up', () => {
  const dns = { name: 'dns', state: 'waiting', problem: 'The dns service keeps ending.' } as unknown as ServiceStatus;
  const status = applianceStatus({ ...facts, services: [dns] });
  assert.deepEqual([status.state, status.sentence], ['up', 'The dns service keeps ending.']);
});
