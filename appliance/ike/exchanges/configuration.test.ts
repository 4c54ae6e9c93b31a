import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from '../api.ts';
import { Pair } from '../pair.ts';

/* Addresses and DNS from the gateway (RFC 7296 2.19, RFC 8598). */

const client = { requests: ['ipv4', 'ipv6'], localSelectors: [] } as const;
const given = { addresses: ['10.9.0.7', 'fd00:9::7'], dns: ['10.0.0.53', 'fd00::53'], domains: ['corp.example'] };
const server = { assigns: given, remoteSelectors: [] } as const;

function up(home: Partial<Peer>, portal: Partial<Peer>): Pair {
  const pair = new Pair({ home, portal });
  pair.initiate();
  pair.settle();
  return pair;
}

function local(pair: Pair): string[] | undefined {
  const [sa] = pair.home.endpoint.status(pair.clock.now);
  return sa?.children[0]?.localSelectors.map(({ startAddress, endAddress }) => `${startAddress}-${endAddress}`);
}

test('a client gets its addresses, and its child SA carries nothing else of its side', () => {
  const pair = up(client, server);
  assert.deepEqual(
    pair.home.reports.map(({ kind }) => kind),
    ['assigned', 'ikeEstablished', 'childEstablished'],
  );
  assert.deepEqual(pair.home.reports[0], { kind: 'assigned', peer: 'portal', assignment: given });
  assert.deepEqual(local(pair), ['10.9.0.7-10.9.0.7', 'fd00:9::7-fd00:9::7']);
  for (const side of [pair.home, pair.portal]) assert.deepEqual(side.endpoint.status(0)[0]?.assignment, given);
});

test('rekeys of both SAs by both ends keep the addresses', () => {
  const pair = up(client, server);
  for (const [side, peer] of [
    [pair.home, 'portal'],
    [pair.portal, 'home'],
  ] as const) {
    for (const what of ['child', 'ike'] as const) {
      side.step({ kind: 'rekey', peer, what });
      pair.settle();
      pair.wait(100);
      pair.settle();
    }
  }
  const [sa] = pair.home.endpoint.status(pair.clock.now);
  assert.deepEqual([sa?.rekeys, sa?.children[0]?.rekeys, sa?.assignment], [2, 2, given]);
  assert.deepEqual(local(pair), ['10.9.0.7-10.9.0.7', 'fd00:9::7-fd00:9::7']);
});

test('only what was asked for is given, and only what was asked for is taken', () => {
  const pair = up({ ...client, requests: ['ipv4'] }, server);
  assert.deepEqual(pair.home.endpoint.status(0)[0]?.assignment, {
    addresses: ['10.9.0.7'],
    dns: ['10.0.0.53'],
    domains: ['corp.example'],
  });
  const silent = up({}, { assigns: given });
  assert.equal(silent.home.endpoint.status(0)[0]?.assignment, null);
  assert.deepEqual(local(silent), ['10.1.0.0-10.1.0.255']);
});

test('a gateway without an address for the client says INTERNAL_ADDRESS_FAILURE, and there is no child SA', () => {
  for (const portal of [{}, { assigns: { ...given, addresses: [] } }]) {
    const pair = up(client, portal);
    const [report] = pair.home.reports;
    assert.ok(report?.kind === 'failed' && report.failure === 'noChildSa');
    assert.equal(report.detail, 'INTERNAL_ADDRESS_FAILURE');
  }
});

test('a gateway that answers with selectors beyond what it gave is not believed', () => {
  const pair = up(client, { assigns: given });
  // The portal's own list of networks lets it answer with 10.1.0.0/24 besides, which is not the client's.
  const [report] = pair.home.reports.filter(({ kind }) => kind === 'failed');
  assert.ok(report?.kind === 'failed' && /selectors that were not offered/.test(report.detail));
});

test('of what a gateway gives no more is taken than anybody needs, and no name that is none', () => {
  const many = (count: number, of: (i: number) => string) => Array.from({ length: count }, (_, i) => of(i));
  const odd = [`${'a'.repeat(200)}!`, 'a..b', '-a.b', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}a`];
  const dns = many(20, (i) => `10.0.0.${i}`);
  const began = performance.now();
  const pair = up(client, {
    ...server,
    assigns: { ...given, dns, domains: [...odd, ...many(100, (i) => `d${i}.example.`)] },
  });
  assert.ok(performance.now() - began < 2000);
  const taken = pair.home.endpoint.status(0)[0]?.assignment;
  assert.equal(taken?.dns.length, 8);
  assert.deepEqual(
    taken?.domains,
    many(64, (i) => `d${i}.example.`),
  );
});
