import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../lib/bytes.ts';
import type { Path } from '../lib/net.ts';
import { atHome, Pair } from './pair.ts';

test('under a flood a cookie is demanded before anything is remembered', () => {
  const pair = new Pair({ options: { cookieThreshold: 0 } });
  pair.initiate();
  const first = pair.home.next();
  pair.portal.hear(first); // home -> portal  IKE_SA_INIT
  assert.deepEqual(pair.portal.endpoint.counters(), { cookieDemanded: 1 });
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_SA_INIT { N(COOKIE) }
  const second = pair.home.next(); // home -> portal  IKE_SA_INIT { N(COOKIE), all else as before }
  const cookiePayload = 4 + 4 + 33;
  assert.equal(second.bytes.length, first.bytes.length + cookiePayload);
  assert.equal(hex(second.bytes.subarray(28 + cookiePayload)), hex(first.bytes.subarray(28)));
  pair.portal.hear(second);
  pair.settle();
  assert.equal(pair.home.endpoint.status(0)[0]?.state, 'established');
});

test('one source takes no more than its share of the half-open SAs', () => {
  const [limit, share] = [40, 2];
  const back = { local: atHome.remote, remote: atHome.local };
  const pair = new Pair({ options: { cookieThreshold: 0, halfOpenLimit: limit } });
  const attempt = (path?: Path) => {
    const from = (message: { bytes: Uint8Array; path: Path }) => ({ ...message, path: path ?? message.path });
    pair.initiate();
    pair.portal.hear(from(pair.home.next())); // home -> portal  IKE_SA_INIT
    pair.home.hear({ ...pair.portal.next(), path: back }); // portal -> home  IKE_SA_INIT { N(COOKIE) }
    pair.portal.hear(from(pair.home.next())); // home -> portal  IKE_SA_INIT { N(COOKIE), ... }
    const answered = pair.portal.wire.length > 0;
    pair.portal.wire.length = 0;
    return answered;
  };
  for (let i = 0; i < share; i += 1) assert.ok(attempt());
  assert.ok(!attempt());
  assert.equal(pair.portal.endpoint.counters().halfOpenOfSource, 1);
  const elsewhere = { ...atHome, local: { address: '192.0.2.77', port: 500 } };
  assert.ok(attempt(elsewhere), 'another address is let in');
  pair.wait(31_000);
  assert.ok(attempt(), 'half-open SAs have gone with time');
});

test('under a flood the data plane is told to demand cookies, and again as long as there is a need', () => {
  const pair = new Pair({ options: { cookieThreshold: 0 } });
  pair.initiate();
  const first = pair.home.next();
  const handedOver = () => pair.portal.kinds().filter((kind) => kind === 'demandCookies').length;
  for (const [at, times] of [
    [0, 1],
    [9_999, 1],
    [10_000, 2],
  ] as const) {
    pair.clock.now = at;
    pair.portal.hear(first);
    assert.equal(handedOver(), times);
  }
});
