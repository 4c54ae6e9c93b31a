import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ntpConfig } from '../../config/ntp.ts';
import { chronyConf, chronydArguments } from './chrony-conf.ts';

const config = ntpConfig.parse({
  listen: ['192.168.77.1', 'fd77:1::1'],
  interface: 'lan0',
  clients: ['192.168.77.0/24', 'fd77:1::/64'],
  sources: [
    { host: '10.1.0.1', prefer: true, minPoll: 4, maxPoll: 8 },
    { host: '2.debian.pool.ntp.org', kind: 'pool' },
  ],
  stateDirectory: '/var/lib/moat/ntp',
});

test('chrony.conf, whole', () => {
  assert.equal(
    chronyConf(config, '/var/lib/moat/ntp'),
    `# Written by moat; changes here are overwritten.
server 10.1.0.1 iburst minpoll 4 maxpoll 8 prefer
pool 2.debian.pool.ntp.org iburst minpoll 6 maxpoll 10
bindaddress 192.168.77.1
bindaddress fd77:1::1
binddevice lan0
port 123
allow 192.168.77.0/24
allow fd77:1::/64
local stratum 10
makestep 1 3
maxslewrate 1000
leapsecmode slew
rtcsync
driftfile /var/lib/moat/ntp/drift
pidfile /var/lib/moat/ntp/chronyd.pid
cmdport 0
bindcmdaddress /var/lib/moat/ntp/chronyd.sock
ratelimit interval 1 burst 16 leak 2
clientloglimit 1048576
`,
  );
});

test('where the clock is not ours, no line and no argument moves it', () => {
  const tame = { ...config, steersClock: false };
  assert.doesNotMatch(chronyConf(tame, '/x'), /makestep|rtcsync|slew/);
  assert.ok(chronydArguments(tame, '/x', false).includes('-x'));
  assert.ok(!chronydArguments(config, '/x', false).includes('-x'));
});

test('root gives itself up, nobody else tries to', () => {
  assert.deepEqual(chronydArguments(config, '/x', true), ['-d', '-f', '/x/chrony.conf', '-u', '_chrony']);
  assert.deepEqual(chronydArguments(config, '/x', false), ['-d', '-f', '/x/chrony.conf', '-U']);
});
