import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix, selectorOf } from '../../lib/ip.ts';
import type { ChildPolicy, Peer } from '../api.ts';
import { Pair } from '../pair.ts';

/* Several child SAs in one IKE SA (RFC 7296 1.3.1), by protocol and ports, and what is said to a child too many. */

const lan = [selectorOf(parsePrefix('10.1.0.0/24'))];
const corp = [selectorOf(parsePrefix('10.0.0.0/8'))];
const of = (protocol: number, port?: number) =>
  corp.map((all) => ({ ...all, protocol, ...(port === undefined ? {} : { startPort: port, endPort: port }) }));
const policy = (remoteSelectors: ChildPolicy['remoteSelectors']): ChildPolicy => ({
  localSelectors: lan,
  remoteSelectors,
});
const mirrored = ({ localSelectors, remoteSelectors }: ChildPolicy): ChildPolicy => ({
  localSelectors: remoteSelectors,
  remoteSelectors: localSelectors,
});
const [web, dns, ping] = [policy(of(6, 443)), policy(of(17, 53)), policy(of(1))];

function pairOf(home: readonly ChildPolicy[], portal: readonly ChildPolicy[], changes: Partial<Peer> = {}) {
  const pair = new Pair({ home: { children: home, ...changes }, portal: { children: portal.map(mirrored) } });
  pair.initiate();
  pair.settle();
  return pair;
}

function remotes(pair: Pair, side: 'home' | 'portal' = 'home') {
  const [sa] = pair[side].endpoint.status(pair.clock.now);
  const selectors = sa?.children.flatMap((child) => (side === 'home' ? child.remoteSelectors : child.localSelectors));
  return selectors?.map(({ protocol, startPort, endPort }) => `${protocol}/${startPort}-${endPort}`);
}
const all = ['6/443-443', '17/53-53', '1/0-65535'];

test('each policy gets its child: one with IKE_AUTH, the others by CREATE_CHILD_SA', () => {
  for (const childless of [false, true]) {
    const pair = pairOf([web, dns, ping], [web, dns, ping], { childless });
    assert.deepEqual([remotes(pair), remotes(pair, 'portal')], [all, all]);
    const tunnels = pair.home.endpoint.status(0)[0]?.children.map(({ tunnel }) => tunnel);
    assert.deepEqual(tunnels, [1, 2, 3]);
  }
});

test('a responder with one wide policy narrows it, and takes no second child', () => {
  const pair = pairOf([web, dns], [policy(corp)]);
  assert.deepEqual([remotes(pair), remotes(pair, 'portal')], [['6/443-443'], ['6/443-443']]);
  assert.equal(pair.home.endpoint.counters()['childRefused NO_ADDITIONAL_SAS'], 1);
  // It is asked again a minute later, not at once.
  pair.wait(59_000);
  assert.equal(pair.home.wire.length, 0);
  pair.wait(1_200);
  assert.equal(pair.home.wire.length, 1);
});

test('a policy that the responder does not have at all is TS_UNACCEPTABLE, and the others stay', () => {
  const pair = pairOf([web, dns], [web]);
  assert.deepEqual(remotes(pair), ['6/443-443']);
  assert.equal(pair.home.endpoint.counters()['childRefused TS_UNACCEPTABLE'], 1);
});

test('each child is rekeyed by itself, in its own tunnel; an IKE rekey takes them all along', () => {
  const pair = pairOf([web, dns], [web, dns]);
  for (const side of [pair.home, pair.portal]) {
    for (const what of ['child', 'ike'] as const) {
      side.step({ kind: 'rekey', peer: side === pair.home ? 'portal' : 'home', what });
      pair.settle();
      pair.wait(1_000);
      pair.settle();
    }
  }
  const [sa, ...more] = pair.portal.endpoint.status(pair.clock.now);
  assert.equal(more.length, 0);
  assert.deepEqual(
    sa?.children.map(({ tunnel, rekeys }) => [tunnel, rekeys]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  assert.deepEqual(remotes(pair), ['6/443-443', '17/53-53']);
  assert.deepEqual(remotes(pair, 'portal'), ['6/443-443', '17/53-53']);
});
