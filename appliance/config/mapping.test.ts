import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '../lib/ip.ts';
import { hiddenNetworks, networksSeen, seenAs } from './mapping.ts';
import type { ConfigError } from './problems.ts';
import { parseConfig } from './schema.ts';

const row = (network: string, as: string) => ({ network: parsePrefix(network), as: parsePrefix(as) });

test('host 7 of one network is host 7 of the other, in networks inside it too', () => {
  const rows = [row('10.1.0.0/16', '172.30.0.0/16'), row('fd01::/32', 'fd99::/32')];
  const seen = (text: string) => formatPrefix(seenAs(parsePrefix(text), rows));
  assert.equal(seen('10.1.0.0/16'), '172.30.0.0/16');
  assert.equal(seen('10.1.7.0/24'), '172.30.7.0/24');
  assert.equal(seen('fd01:0:1::/64'), 'fd99:0:1::/64');
  assert.equal(seen('10.0.0.0/8'), '10.0.0.0/8', 'a row says nothing about what holds more than it');
  assert.equal(seen('10.2.0.0/16'), '10.2.0.0/16');
});

test('what is mapped is reached by its other name, and its own says nothing', () => {
  const peer = {
    networks: [parsePrefix('10.1.0.0/16'), parsePrefix('10.2.0.0/16')],
    map: { ours: [], theirs: [row('10.1.0.0/16', '172.30.0.0/16')] },
  };
  assert.deepEqual(networksSeen(peer).map(formatPrefix), ['172.30.0.0/16', '10.2.0.0/16']);
  assert.deepEqual(hiddenNetworks(peer).map(formatPrefix), ['10.1.0.0/16']);
  const given = { ...peer, assigns: { addresses: ['10.9.0.7', 'fd99::7'] } };
  assert.deepEqual(networksSeen(given).map(formatPrefix).slice(2), ['10.9.0.7/32', 'fd99::7/128']);
});

test('a row that is about nothing, or changes the size, is refused by name', () => {
  const base = {
    role: 'home',
    name: 'home-1',
    identity: { id: 'home-1' },
    tunnel: { networks: ['10.77.1.0/24'] },
    peers: [{ name: 'p', id: 'p', addresses: ['192.0.2.1'], psk: 'sixteen letters!', networks: ['10.1.0.0/16'] }],
  };
  const refused = (map: object) => {
    try {
      parseConfig({ ...base, peers: [{ ...base.peers[0], map }] });
      return '';
    } catch (error) {
      return (error as ConfigError).message;
    }
  };
  assert.equal(refused({ theirs: [{ network: '10.1.0.0/16', as: '172.30.0.0/16' }] }), '');
  assert.match(refused({ theirs: [{ network: '10.1.0.0/16', as: '172.30.0.0/24' }] }), /same family and length/);
  assert.match(refused({ theirs: [{ network: '10.5.0.0/16', as: '172.30.0.0/16' }] }), /map\.theirs\[0\]\.network/);
  assert.match(refused({ ours: [{ network: '10.78.0.0/16', as: '172.30.0.0/16' }] }), /tunnel\.networks/);
});
