import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SaStats } from '../../native/index.ts';
import { parseConfig } from '../config/schema.ts';
import type { IkeSaStatus } from '../ike/api.ts';
import { movesFrom, Streams } from './roaming.ts';

const config = (role: 'home' | 'portal', addresses: string[]) =>
  parseConfig({
    role,
    name: 'h',
    identity: { id: 'h' },
    tunnel: { networks: ['10.77.1.0/24'] },
    peers: [
      {
        name: 'p',
        id: 'p',
        psk: 'sixteen letters!',
        networks: ['10.1.0.0/16'],
        ...(role === 'home' ? { addresses } : {}),
      },
    ],
  });

const path = { local: { address: '192.0.2.5', port: 4500 }, remote: { address: '198.51.100.1', port: 4500 } };
const up = [{ peer: 'p', state: 'established', path }] as unknown as IkeSaStatus[];
const routes = (sources: Record<string, string>) => ({
  sourceFor: (remote: string) => {
    const source = sources[remote];
    return source === undefined ? Promise.reject(new Error('ENETUNREACH')) : Promise.resolve(source);
  },
  addresses: new Set(Object.values(sources)),
});

test('a home goes on from its new address, to the address that it speaks with', async () => {
  const moves = await movesFrom(config('home', ['198.51.100.1']), up, routes({ '198.51.100.1': '192.0.2.6' }));
  assert.deepEqual(moves, [{ peer: 'p', path: { ...path, local: { address: '192.0.2.6', port: 4500 } } }]);
});

test('without a way there it goes to another address of the peer, of the other family too', async () => {
  const wanted = config('home', ['198.51.100.1', '2001:db8::1']);
  const [move] = await movesFrom(wanted, up, routes({ '2001:db8::1': '2001:db8::5' }));
  assert.deepEqual(
    [move?.path.local, move?.path.remote],
    [
      { address: '2001:db8::5', port: 4500 },
      { address: '2001:db8::1', port: 4500 },
    ],
  );
});

test('without any way, or before it is up, it waits', async () => {
  assert.deepEqual(await movesFrom(config('home', ['198.51.100.1']), up, routes({})), []);
  const calling = [{ ...up[0], state: 'authSent' }] as IkeSaStatus[];
  const here = routes({ '198.51.100.1': '192.0.2.6' });
  assert.deepEqual(await movesFrom(config('home', ['198.51.100.1']), calling, here), []);
});

test('a portal moves only from an address that is gone', async () => {
  const sources = { '198.51.100.1': '192.0.2.6' };
  const portal = config('portal', []);
  assert.equal((await movesFrom(portal, up, routes(sources))).length, 1);
  assert.deepEqual(await movesFrom(portal, up, routes({ ...sources, other: '192.0.2.5' })), []);
});

function stats(inbound: { packets: number; idleMs: number }, sentAgoMs: number): SaStats[] {
  const sa = { tunnel: 7, active: true };
  return [
    { ...sa, direction: 'inbound', spi: 1, ...inbound },
    { ...sa, direction: 'outbound', spi: 2, packets: 1, idleMs: sentAgoMs },
  ] as SaStats[];
}

test('a stream that broke off unanswered is asked about, once', () => {
  const streams = new Streams();
  assert.deepEqual(streams.brokenOff(stats({ packets: 10, idleMs: 1 }, 5000)), []);
  assert.deepEqual(streams.brokenOff(stats({ packets: 30, idleMs: 200 }, 5000)), []);
  assert.deepEqual(streams.brokenOff(stats({ packets: 30, idleMs: 450 }, 5000)), [7]);
  assert.deepEqual(streams.brokenOff(stats({ packets: 30, idleMs: 700 }, 5000)), []);
});

test('not when it was no stream, and not when we have sent something since', () => {
  for (const [packets, sentAgoMs] of [
    [5, 5000],
    [1000, 100],
  ] as const) {
    const streams = new Streams();
    streams.brokenOff(stats({ packets, idleMs: 1 }, sentAgoMs));
    assert.deepEqual(streams.brokenOff(stats({ packets, idleMs: 450 }, sentAgoMs)), []);
  }
});
