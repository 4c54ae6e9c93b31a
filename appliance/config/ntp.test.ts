import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ntpConfig } from './ntp.ts';

const least = { listen: ['192.168.77.1'], clients: ['192.168.77.0/24'], stateDirectory: '/var/lib/moat/ntp' };

test('what is left out has its preset', () => {
  const config = ntpConfig.parse({ ...least, sources: [{ host: 'pool.ntp.org', kind: 'pool' }] });
  assert.deepEqual(config.sources, [
    { host: 'pool.ntp.org', kind: 'pool', port: 123, prefer: false, minPoll: 6, maxPoll: 10 },
  ]);
  assert.equal(config.localStratum, 10);
  assert.equal(config.steersClock, true);
});

test('nothing can be smuggled into the configuration of chronyd', () => {
  const wrong = [
    { sources: [{ host: 'a.example\nallow all' }] },
    { sources: [{ host: 'a b' }] },
    { stateDirectory: '/var/lib/x y' },
    { interface: 'eth0 x' },
    { listen: ['192.168.77.1', '192.168.78.1'] },
    { sources: [{ host: 'a', minPoll: 9, maxPoll: 8 }] },
    { clients: ['all'] },
  ];
  for (const change of wrong) assert.ok(!ntpConfig.safeParse({ ...least, ...change }).success, JSON.stringify(change));
});
