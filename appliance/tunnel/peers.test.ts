import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localNetworks } from '../config/mapping.ts';
import { parseConfig } from '../config/schema.ts';
import { formatPrefix } from '../lib/ip.ts';
import { changedPeers, identityOf, movedPeers } from './peers.ts';

test('the kind of an identity is told by its form', () => {
  assert.deepEqual(identityOf('box-7.example.com'), { kind: 'fqdn', value: 'box-7.example.com' });
  assert.deepEqual(identityOf('ann@example.com'), { kind: 'rfc822', value: 'ann@example.com' });
  assert.deepEqual(identityOf('192.0.2.1'), { kind: 'ipv4', value: '192.0.2.1' });
  assert.deepEqual(identityOf('2001:DB8::1'), { kind: 'ipv6', value: '2001:db8::1' });
  assert.deepEqual(identityOf('keyid:00FF'), { kind: 'keyId', value: '00ff' });
  assert.deepEqual(identityOf('keyid:0'), { kind: 'fqdn', value: 'keyid:0' });
});

const peer = (name: string, address: string) => ({
  name,
  id: name,
  addresses: [address],
  psk: 'sixteen letters!',
  networks: ['10.1.0.0/16'],
});
const base = {
  role: 'home',
  name: 'h',
  identity: { id: 'h' },
  tunnel: { networks: ['10.77.1.0/24', '10.77.3.0/24'] },
  peers: [peer('first', '192.0.2.1'), peer('second', '192.0.2.2')],
};

test('a zone that names an employer brings its own network there and no other', () => {
  const zones = [
    { name: 'work', kind: 'work', interface: 'a', addresses: ['10.77.1.1/24'], peers: ['first'] },
    { name: 'work-2', kind: 'work', interface: 'b', addresses: ['10.77.3.1/24'], peers: ['second'] },
  ];
  const networks = (config: ReturnType<typeof parseConfig>) =>
    config.peers.map((each) => localNetworks(each, config).map(formatPrefix).join());
  assert.deepEqual(networks(parseConfig({ ...base, zones })), ['10.77.1.0/24', '10.77.3.0/24']);
  assert.deepEqual(networks(parseConfig(base)), ['10.77.1.0/24,10.77.3.0/24', '10.77.1.0/24,10.77.3.0/24']);
});

test('a peer that is to be called elsewhere is known', () => {
  const moved = { ...base, peers: [peer('first', '192.0.2.9'), base.peers[1]] };
  assert.deepEqual(movedPeers(parseConfig(base), parseConfig(moved)), ['first']);
  assert.deepEqual(changedPeers(parseConfig(base), parseConfig(moved)), ['first']);
  const renamed = { ...base, identity: { id: 'other' } };
  assert.deepEqual(changedPeers(parseConfig(base), parseConfig(renamed)), ['first', 'second']);
});
