import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import { formatPrefix } from '../lib/ip.ts';
import { networkPlan } from './network.ts';

function plan(networks: string[]) {
  return networkPlan(
    parseConfig({
      role: 'home',
      name: 'home-1',
      identity: { id: 'home-1.example' },
      tunnel: { networks: ['10.77.1.0/24', 'fd77:1::/64'], sourceAddresses: ['10.77.1.1'] },
      peers: [{ name: 'p', id: 'p', addresses: ['192.0.2.1'], psk: 'sixteen letters!', networks }],
    }),
  );
}

test('a network of the peer becomes a route, with our own source address of its family', () => {
  assert.deepEqual(
    plan(['10.1.0.0/16', 'fd01::/32']).routes.map(({ prefix, table, source }) => [formatPrefix(prefix), table, source]),
    [
      ['10.1.0.0/16', 'main', '10.77.1.1'],
      ['fd01::/32', 'main', null],
      ['10.1.0.0/16', 7294, '10.77.1.1'],
      ['fd01::/32', 7294, null],
    ],
  );
  assert.deepEqual(plan(['10.1.0.0/16']).ruleSources, []);
});

test('a default route stays out of the main table, and only our networks of that family look there', () => {
  const { routes, ruleSources } = plan(['0.0.0.0/0']);
  assert.deepEqual(
    routes.map(({ table }) => table),
    [7296],
  );
  assert.deepEqual(ruleSources.map(formatPrefix), ['10.77.1.0/24']);
});

test('what a wild side says about the company is asked after our own table; our own networks are thrown back from it', () => {
  const { firstSources, thrown } = plan(['10.0.0.0/8']);
  assert.deepEqual(firstSources.map(formatPrefix), ['10.77.1.0/24', 'fd77:1::/64']);
  assert.deepEqual(thrown.map(formatPrefix), ['10.77.1.0/24', 'fd77:1::/64']);
});
