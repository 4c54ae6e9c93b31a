import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from './problems.ts';
import { parseConfig } from './schema.ts';

const base = {
  role: 'home',
  name: 'h',
  identity: { id: 'h' },
  tunnel: { networks: ['10.77.1.0/24'] },
  peers: [{ name: 'p', id: 'p', addresses: ['192.0.2.1'], psk: 'sixteen letters!', networks: ['10.1.0.0/16'] }],
};
const wild = { name: 'wild', kind: 'wild', interface: 'wan' };
const work = { name: 'work', kind: 'work', interface: 'lan', addresses: ['10.77.1.1/24'] };

function refusal(change: object): string {
  try {
    parseConfig({ ...base, zones: [wild, work], ...change });
    return 'accepted';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test('a zone says its own address and network in one word', () => {
  const { zones } = parseConfig({ ...base, zones: [wild, work] });
  assert.deepEqual(zones[1]?.addresses, [{ address: '10.77.1.1', network: { address: '10.77.1.0', length: 24 } }]);
  assert.deepEqual([zones[0]?.listeners, zones[1]?.listeners], [[], ['dhcp', 'dns', 'ntp', 'ping']]);
});

test('what would open the box or cannot be is refused by its field', () => {
  const cases: [object, RegExp][] = [
    [{ zones: [{ ...wild, listeners: ['dns'] }] }, /nothing but ssh and ping may be answered on the wild side/],
    [{ zones: [{ ...work, addresses: [] }] }, /expected our own address in the zone/],
    [{ zones: [{ ...work, mac: '02:00:00:00:00:01' }] }, /exactly one of interface, mac and port/],
    [{ zones: [{ ...work, addressing: 'dhcp' }] }, /only a wild side can ask for its address/],
    [{ zones: [work, { ...work, interface: 'b', addresses: ['10.0.0.1/24'] }] }, /zones\[1\]\.name: two zones/],
    [{ zones: [work, { ...work, name: 'b', addresses: ['10.0.0.1/24'] }] }, /belongs to another zone already/],
    [{ zones: [work, { ...work, name: 'b', interface: 'b' }] }, /overlaps another zone's 10\.77\.1\.0\/24/],
    [{ zones: [{ ...work, peers: ['q'] }] }, /zones\[0\]\.peers: there is no peer 'q'/],
    [{ policy: [{ from: 'work', to: 'den' }] }, /policy\[0\]\.to: there is no zone 'den'/],
    [{ policy: [{ from: 'wild', to: 'work' }] }, /nothing comes in from the wild side/],
    [{ policy: [{ from: 'work', to: 'wild', ports: [443] }] }, /with protocol "tcp" or "udp" only/],
  ];
  for (const [change, expected] of cases) assert.match(refusal(change), expected);
});
