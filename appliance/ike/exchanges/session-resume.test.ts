import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointOptions, Peer } from '../api.ts';
import { exchangeTypes } from '../numbers.ts';
import { Pair } from '../pair.ts';

/* Session resumption (RFC 5723): the SA is lost, the ticket is not. */

const resumes = { resumes: true } as const;
const hybrid = { additionalKeyExchanges: ['mlkem768'] } as const;
const ike = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-384'], keyExchanges: ['x25519'] } as const;

function pairOf(
  home: Partial<Peer> = resumes,
  portal: Partial<Peer> = resumes,
  options: Partial<EndpointOptions> = {},
) {
  return new Pair({ home, portal, options });
}

/** What went over the wire, by exchange. */
function exchanges(pair: Pair): number[] {
  const seen: number[] = [];
  for (let turns = 0; turns < 50; turns += 1) {
    const [fromHome] = pair.home.wire.splice(0, 1);
    const [fromPortal] = pair.portal.wire.splice(0, 1);
    for (const message of [fromHome, fromPortal]) if (message) seen.push(message.bytes[18] ?? 0);
    if (fromHome) pair.portal.hear(fromHome);
    if (fromPortal) pair.home.hear(fromPortal);
  }
  return seen;
}
const { IKE_SESSION_RESUME, IKE_SA_INIT, IKE_AUTH } = exchangeTypes;
const resumed = [IKE_SESSION_RESUME, IKE_SESSION_RESUME, IKE_AUTH, IKE_AUTH];

/** Both ends lose the SA without a word; then home calls. */
function again(pair: Pair): number[] {
  pair.establish();
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  pair.home.reports.length = 0;
  pair.initiate();
  return exchanges(pair);
}

function sameChild(pair: Pair): void {
  const [home, portal] = [pair.home, pair.portal].map((side) => side.endpoint.status(pair.clock.now)[0]);
  assert.deepEqual(home?.children[0]?.spiIn, portal?.children[0]?.spiOut);
  const keys = [pair.home, pair.portal].map((side) => {
    const find = (kind: string) => side.effects.findLast((effect) => effect.kind === kind);
    const [inbound, outbound] = [find('installInbound'), find('installOutbound')];
    assert.ok(inbound && 'sa' in inbound && outbound && 'sa' in outbound);
    return [inbound.sa.key.reveal(), outbound.sa.key.reveal()];
  });
  assert.deepEqual(keys[0], keys[1]?.toReversed());
}

test('a lost SA is taken up again without a key exchange, and is as safe as before', () => {
  const pair = pairOf({ ...resumes, ike: { ...ike, ...hybrid } }, { ...resumes, ike: { ...ike, ...hybrid } });
  assert.deepEqual(again(pair), resumed);
  const [sa] = pair.home.endpoint.status(0);
  assert.deepEqual([sa?.resumed, sa?.quantumSafe, sa?.prf], [true, 'mlkem768', 'hmac-sha2-384']);
  sameChild(pair);
  // Its next rekey has a key exchange of its own, and the SA is like any other.
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'ike' });
  pair.settle();
  assert.equal(pair.home.endpoint.status(0)[0]?.resumed, false);
});

test('also after rekeys of either end, by the ticket of the newest SA', () => {
  for (const end of ['home', 'portal'] as const) {
    const pair = pairOf();
    pair.establish();
    pair[end].step({ kind: 'rekey', peer: end === 'home' ? 'portal' : 'home', what: 'ike' });
    pair.settle();
    pair.wait(1_000);
    pair.settle();
    pair.home.step({ kind: 'close', peer: 'portal' });
    pair.settle();
    pair.initiate();
    assert.deepEqual(exchanges(pair), resumed, end);
    sameChild(pair);
  }
});

test('a ticket is renewed before it is too old, used once, and forgotten when it is', () => {
  const pair = pairOf();
  pair.establish();
  for (let minutes = 0; minutes < 20; minutes += 1) {
    pair.wait(60_000);
    pair.settle();
  }
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  pair.initiate();
  const taken = pair.home.next();
  assert.equal(taken.bytes[18], IKE_SESSION_RESUME);
  // The first attempt came to nothing: the second is a whole one.
  pair.initiate();
  assert.equal(pair.home.next().bytes[18], IKE_SA_INIT);
  const late = pairOf();
  late.establish();
  late.home.step({ kind: 'close', peer: 'portal' });
  late.settle();
  late.wait(301_000);
  late.initiate();
  assert.equal(late.home.next().bytes[18], IKE_SA_INIT);
});

test('a gateway that cannot read the ticket says so, and everything goes on without it', () => {
  const pair = pairOf();
  pair.establish();
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  // The portal is another process now, with other keys.
  const reborn = pairOf();
  pair.initiate();
  reborn.portal.hear(pair.home.next());
  pair.home.hear(reborn.portal.next()); // portal -> home  IKE_SESSION_RESUME { N(TICKET_NACK) }
  assert.equal(pair.home.endpoint.counters().notResumed, 1);
  assert.equal(pair.home.next().bytes[18], IKE_SA_INIT);
});

test('a cookie is brought back, and no ticket is asked for or given against the will of one', () => {
  assert.deepEqual(again(pairOf(resumes, resumes, { cookieThreshold: 0 })).slice(0, 4), [38, 38, 38, 38]);
  for (const pair of [pairOf({}, resumes), pairOf(resumes, {})]) assert.equal(again(pair)[0], IKE_SA_INIT);
});

test('what is forged on the way comes to nothing: neither a ticket nor its answer', () => {
  const pair = pairOf();
  pair.establish();
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  pair.initiate();
  const request = pair.home.next();
  const forged = { ...request, bytes: request.bytes.map((octet, i) => (i === 80 ? octet ^ 1 : octet)) };
  pair.portal.hear(forged);
  assert.equal(pair.portal.endpoint.status(0).length, 0);
  pair.portal.wire.length = 0;
  pair.portal.hear(request);
  const answer = pair.portal.next();
  pair.home.hear({ ...answer, bytes: answer.bytes.map((octet, i) => (i === 40 ? octet ^ 1 : octet)) });
  pair.portal.hear(pair.home.next());
  // Keys of other nonces: the portal cannot open it.
  assert.equal(pair.portal.endpoint.counters().notAuthentic, 1);
});

test('whose ticket it is may resume, nobody else', () => {
  const pair = pairOf();
  pair.establish();
  pair.home.step({ kind: 'close', peer: 'portal' });
  pair.settle();
  const [sa] = pair.portal.endpoint.status(0);
  assert.equal(sa, undefined);
  pair.portal.step({ kind: 'wake' });
  pair.initiate();
  pair.portal.hear(pair.home.next());
  pair.home.hear(pair.portal.next());
  pair.portal.endpoint.removePeer('home', pair.portal.env);
  pair.portal.hear(pair.home.next());
  assert.deepEqual(pair.portal.endpoint.status(0), []);
  assert.equal(pair.portal.reports.findLast(({ kind }) => kind === 'failed')?.kind, 'failed');
});
