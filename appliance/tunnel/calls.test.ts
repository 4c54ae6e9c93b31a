import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../config/schema.ts';
import { Calls } from './calls.ts';

const config = (address: string) =>
  parseConfig({
    role: 'home',
    name: 'h',
    identity: { id: 'h' },
    tunnel: { networks: ['10.77.1.0/24'] },
    peers: [{ name: 'p', id: 'p', addresses: [address], psk: 'sixteen letters!', networks: ['10.1.0.0/16'] }],
  });
const env = (now: number) => ({ now, random: (length: number) => new Uint8Array(length) });

test('a peer that moves while it is being called is called at its new address at once', () => {
  const calls = new Calls(config('192.0.2.1'));
  assert.deepEqual(calls.due(env(0)), [{ peer: 'p', address: '192.0.2.1' }]);
  calls.restart('p');
  calls.configure(config('192.0.2.2'));
  assert.deepEqual(calls.due(env(1)), [{ peer: 'p', address: '192.0.2.2' }]);
});

test('a peer that is up stays so', () => {
  const calls = new Calls(config('192.0.2.1'));
  calls.due(env(0));
  calls.established('p', env(1));
  calls.restart('p');
  assert.equal(calls.state('p')?.name, 'up');
});

test('a pause after a failure ends when what failed may work now', () => {
  const calls = new Calls(config('192.0.2.1'));
  calls.due(env(0));
  calls.lost('p', 'noAnswer', '', env(2));
  assert.deepEqual(calls.due(env(3)), []);
  calls.restart('p');
  calls.configure(config('192.0.2.1'));
  assert.equal(calls.due(env(4)).length, 1);
});
