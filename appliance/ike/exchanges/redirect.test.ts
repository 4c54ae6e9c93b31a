import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointOptions, Peer } from '../api.ts';
import { atHome, Pair, peers, Side } from '../pair.ts';

/* Being sent to another gateway (RFC 5685), and learning of a crash at once (RFC 6290). */

const elsewhere = { address: '203.0.113.7', port: 500 };
const follows = { followRedirects: true } as const;

function pairOf(home: Partial<Peer> = follows, portal: Partial<Peer> = {}, options: Partial<EndpointOptions> = {}) {
  return new Pair({ home, portal, options });
}

function settled(pair: Pair): string[] {
  pair.settle();
  return pair.home.reports.map((report) => ('failure' in report && report.failure ? report.failure : report.kind));
}

test('in IKE_SA_INIT: nothing is remembered, the nonce is shown, and the next gateway hears who sent', () => {
  const pair = pairOf();
  pair.portal.step({ kind: 'redirect', gateway: 'gw2.example' });
  pair.initiate();
  assert.deepEqual(settled(pair), ['redirected']);
  assert.deepEqual(pair.home.reports[0], {
    kind: 'redirected',
    peer: 'portal',
    gateway: 'gw2.example',
    from: '198.51.100.1',
  });
  assert.deepEqual([...pair.home.endpoint.status(0), ...pair.portal.endpoint.status(0)], []);
  pair.portal.step({ kind: 'redirect', gateway: null });
  const path = { ...atHome, remote: elsewhere };
  pair.home.step({ kind: 'initiate', peer: 'portal', path, redirectedFrom: '198.51.100.1' });
  assert.deepEqual(settled(pair), ['redirected', 'ikeEstablished', 'childEstablished']);
});

test('a redirect with another nonce is no answer, and a client that does not follow is not sent', () => {
  const pair = pairOf();
  pair.portal.step({ kind: 'redirect', gateway: '203.0.113.7' });
  pair.initiate();
  pair.portal.hear(pair.home.next());
  const forged = pair.portal.next();
  forged.bytes[forged.bytes.length - 1] = (forged.bytes.at(-1) ?? 0) ^ 1;
  pair.home.hear(forged);
  assert.deepEqual(pair.home.reports, []);
  assert.equal(pair.home.endpoint.status(0)[0]?.state, 'initSent');
  const deaf = pairOf({});
  deaf.portal.step({ kind: 'redirect', gateway: '203.0.113.7' });
  deaf.initiate();
  assert.deepEqual(settled(deaf), ['ikeEstablished', 'childEstablished']);
});

test('in IKE_AUTH: this box alone, after both have proved themselves', () => {
  const pair = pairOf(follows, { redirectTo: '2001:db8::7' });
  pair.initiate();
  assert.deepEqual(settled(pair), ['redirected']);
  assert.ok(pair.home.reports.some((report) => report.kind === 'redirected' && report.gateway === '2001:db8::7'));
  assert.deepEqual([pair.home.endpoint.status(0), pair.portal.endpoint.status(0)], [[], []]);
  assert.deepEqual([pair.home.effects, pair.portal.effects], [[], []]);
});

test('an SA that is up: the client answers, deletes it and goes; the gateway keeps nothing', () => {
  const pair = pairOf();
  pair.establish();
  pair.portal.step({ kind: 'redirect', gateway: 'gw2.example' }); // portal -> home  INFORMATIONAL { N(REDIRECT) }
  assert.deepEqual(settled(pair), ['redirected', 'childClosed', 'redirected']);
  assert.deepEqual([pair.home.endpoint.status(0), pair.portal.endpoint.status(0)], [[], []]);
});

test('one box is sent by its record, and one that stays in spite of it is deleted after half a minute', () => {
  const pair = pairOf();
  pair.establish();
  pair.portal.endpoint.setPeer({ ...peers().portal, redirectTo: 'gw2.example' });
  pair.wait(0);
  assert.equal(pair.portal.wire.length, 1);
  pair.home.endpoint.setPeer({ ...peers().home, followRedirects: false });
  assert.deepEqual(settled(pair), []);
  pair.wait(31_000);
  assert.deepEqual(settled(pair).slice(-1), ['peerClosed']);
});

test('sent from one to the other for ever: after five times within five minutes that is the failure', () => {
  const pair = pairOf();
  pair.portal.step({ kind: 'redirect', gateway: '203.0.113.7' });
  for (let times = 0; times < 6; times += 1) {
    pair.initiate();
    pair.settle();
  }
  const kinds = pair.home.reports.map((report) => (report.kind === 'failed' ? report.failure : report.kind));
  assert.deepEqual(kinds, [...Array.from({ length: 5 }, () => 'redirected'), 'redirectLoop']);
  pair.wait(301_000);
  pair.initiate();
  assert.deepEqual(settled(pair).slice(-1), ['redirected']);
});

const crashSecret = new Uint8Array(32).fill(9);

/** The portal loses everything but its secret; home asks whether it lives. */
function crash(pair: Pair, options: Partial<EndpointOptions>): string[] {
  const reborn = new Side('portal reborn', pair.clock, options);
  reborn.endpoint.setPeer(peers().portal);
  pair.wait(30_000);
  reborn.hear(pair.home.next()); // home -> portal  INFORMATIONAL {}
  pair.home.hear(reborn.next()); // portal -> home  INFORMATIONAL { N(INVALID_IKE_SPI), N(QCD) }, not encrypted
  return pair.home.reports.map((report) => ('failure' in report ? `${report.failure}` : report.kind));
}

test('a portal that was restarted shows the token, and its box calls anew at once; after rekeys of either side, too', () => {
  for (const rekeys of [[], ['home'], ['portal'], ['home', 'portal']] as const) {
    const pair = pairOf({ livenessSeconds: 20 }, {}, { crashSecret });
    pair.establish();
    for (const end of rekeys) {
      pair[end].step({ kind: 'rekey', peer: end === 'home' ? 'portal' : 'home', what: 'ike' });
      pair.settle();
      pair[end].step({ kind: 'wake' });
      pair.settle();
    }
    pair.home.reports.length = 0;
    assert.deepEqual(crash(pair, { crashSecret }), ['childClosed', 'peerDead'], rekeys.join());
    assert.deepEqual(pair.home.endpoint.status(pair.clock.now), []);
  }
});

test('a wrong token, or none, is only a hint', () => {
  for (const options of [{ crashSecret: new Uint8Array(32).fill(8) }, {}]) {
    const pair = pairOf({ livenessSeconds: 20 }, {}, { crashSecret });
    pair.establish();
    assert.deepEqual(crash(pair, options), []);
    assert.equal(pair.home.endpoint.status(pair.clock.now)[0]?.state, 'established');
  }
});
