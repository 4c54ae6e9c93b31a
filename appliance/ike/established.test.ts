import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../lib/bytes.ts';
import { Secret } from '../lib/secret.ts';
import { Pair, peers, sameKeys } from './pair.ts';

test('rekeyed child: inbound before the answer, outbound after it, the old one gone with a delay', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.portal.hear(pair.home.next()); // home -> portal  CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KEi, TSi, TSr }
  assert.deepEqual(pair.portal.kinds(), ['installInbound', 'installOutbound']);
  const waiting = pair.portal.installed().outbound.activate;
  assert.notEqual(waiting, 'now');
  pair.home.hear(pair.portal.next()); // portal -> home  CREATE_CHILD_SA { SA, Nr, KEr, TSi, TSr }
  assert.deepEqual(pair.home.kinds(), ['installInbound', 'installOutbound']);
  sameKeys(pair);
  pair.portal.hear(pair.home.next()); // home -> portal  INFORMATIONAL { D }
  assert.deepEqual(pair.portal.kinds().slice(2), ['activateOutbound', 'removeOutbound']);
  pair.home.hear(pair.portal.next()); // portal -> home  INFORMATIONAL { D }
  assert.deepEqual(pair.home.kinds().slice(2), ['activateOutbound', 'removeOutbound']);
  pair.wait(5_000);
  assert.deepEqual([pair.home.kinds().at(-1), pair.portal.kinds().at(-1)], ['removeInbound', 'removeInbound']);
});

test('closing says so, and takes everything along on both sides', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  assert.deepEqual(pair.home.kinds(), ['removeOutbound', 'removeInbound']);
  assert.deepEqual(pair.portal.kinds(), ['removeOutbound', 'removeInbound']);
  const closing = pair.portal.reports.find((report) => report.kind === 'ikeClosed');
  assert.equal(closing?.failure, 'peerClosed');
  assert.deepEqual([...pair.home.endpoint.status(0), ...pair.portal.endpoint.status(0)], []);
});

test('an answer is repeated bit by bit, to where it is asked for, and nothing is done twice', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  const request = pair.home.next();
  pair.portal.hear(request);
  const answer = pair.portal.next();
  const effects = pair.portal.effects.length;
  const elsewhere = { ...request.path, local: { address: '203.0.113.9', port: 99 } };
  pair.portal.hear({ bytes: request.bytes, path: elsewhere });
  const again = pair.portal.next();
  assert.equal(hex(again.bytes), hex(answer.bytes));
  assert.deepEqual(again.path.remote, elsewhere.local);
  assert.equal(pair.portal.effects.length, effects);
});

test('message ids out of turn are dropped', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  const old = pair.home.next();
  pair.portal.hear(old);
  pair.home.hear(pair.portal.next());
  pair.portal.hear(pair.home.next()); // the next request
  pair.portal.wire.length = 0;
  pair.portal.hear(old);
  assert.deepEqual(pair.portal.wire, []);
  assert.equal(pair.portal.endpoint.counters().wrongMessageId, 1);
});

test('a peer that answers nothing is dead after half a minute', () => {
  const pair = new Pair({ home: { livenessSeconds: 10 } });
  pair.establish();
  pair.wait(10_000);
  assert.equal(pair.home.wire.length, 1); // home -> portal  INFORMATIONAL {}
  pair.wait(31_000);
  const closing = pair.home.reports.find((report) => report.kind === 'ikeClosed');
  assert.equal(closing?.failure, 'peerDead');
  assert.deepEqual(pair.home.kinds(), ['removeOutbound', 'removeInbound']);
});

test('traffic is proof enough of life', () => {
  const pair = new Pair({ home: { livenessSeconds: 10 } });
  pair.establish();
  for (let i = 0; i < 5; i += 1) {
    pair.wait(9_000);
    pair.home.step({ kind: 'alive', tunnel: 1 });
  }
  assert.deepEqual(pair.home.wire, []);
});

test('the path follows the peer to its new address, but only with a fresh authentic message', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'ike' });
  const { bytes, path } = pair.home.next();
  const moved = { bytes, path: { ...path, local: { address: '203.0.113.9', port: 500 } } };
  const forged = bytes.map((octet, i) => (i === bytes.length - 1 ? octet ^ 1 : octet));
  pair.portal.hear({ ...moved, bytes: forged });
  assert.deepEqual(pair.portal.kinds(), []);
  pair.portal.hear(moved);
  assert.deepEqual(pair.portal.effects[0], {
    kind: 'movePath',
    tunnel: 1,
    path: { local: path.remote, remote: { address: '203.0.113.9', port: 500 } },
  });
});

test('messages in states that do not listen to them are dropped unread', () => {
  const pair = new Pair();
  pair.initiate();
  pair.portal.hear(pair.home.next());
  pair.home.hear(pair.portal.next());
  const auth = pair.home.next();
  // CREATE_CHILD_SA instead of IKE_AUTH, before the peer is known (CVE-2026-78135 of another implementation).
  const early = auth.bytes.map((octet, i) => (i === 18 ? 36 : octet));
  pair.portal.hear({ ...auth, bytes: early });
  assert.equal(pair.portal.endpoint.counters().exchangeNotInThisState, 1);
  assert.deepEqual([pair.portal.wire, pair.portal.effects], [[], []]);
});

test('an INVALID_IKE_SPI from nobody knows whom only makes us ask', () => {
  const pair = new Pair();
  pair.establish();
  const lost = new Pair(); // the portal after a restart
  pair.wait(6_000);
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.home.wire.length = 0;
  pair.wait(1_000);
  const asked = pair.home.next();
  lost.portal.hear(asked);
  pair.home.hear(lost.portal.next()); // portal -> home  N(INVALID_IKE_SPI), unprotected
  assert.equal(pair.home.endpoint.counters().invalidSpiHint, 1);
  assert.equal(pair.home.endpoint.status(0)[0]?.state, 'established');
});

test('a changed peer: new keys close its SAs, anything else leaves them', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.endpoint.setPeer(peers({ home: { livenessSeconds: 99 } }).home);
  pair.wait(100);
  assert.equal(pair.home.endpoint.status(0).length, 1);
  const secret = new Secret(new Uint8Array(Buffer.from('other')));
  pair.home.endpoint.setPeer(peers({ home: { localAuth: { kind: 'psk', secret } } }).home);
  assert.ok(pair.home.endpoint.wakeAt() <= pair.clock.now);
  pair.wait(0);
  pair.settle();
  assert.deepEqual([...pair.home.endpoint.status(0), ...pair.portal.endpoint.status(0)], []);
});

test('a removed peer is told, and is a stranger afterwards', () => {
  const pair = new Pair();
  pair.establish();
  pair.portal.take(pair.portal.endpoint.removePeer('home', pair.portal.env));
  pair.settle();
  assert.deepEqual(pair.home.endpoint.status(0), []);
  pair.initiate();
  pair.settle();
  pair.wait(10_000);
  const [last] = pair.home.reports.slice(-1);
  assert.equal(last?.kind === 'failed' && last.failure, 'noProposalChosen');
});
