import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, sameBytes } from '../lib/bytes.ts';
import { parsePrefix, selectorOf } from '../lib/ip.ts';
import { Secret } from '../lib/secret.ts';
import { atHome, ed25519Pair, Pair, peers } from './pair.ts';

function installed(pair: Pair) {
  const find = (side: Pair['home']) => {
    const inbound = side.effects.findLast((effect) => effect.kind === 'installInbound');
    const outbound = side.effects.findLast((effect) => effect.kind === 'installOutbound');
    assert.ok(inbound?.kind === 'installInbound' && outbound?.kind === 'installOutbound');
    return { inbound: inbound.sa, outbound: outbound.sa };
  };
  return { home: find(pair.home), portal: find(pair.portal) };
}

function sameKeys(pair: Pair): void {
  const { home, portal } = installed(pair);
  assert.equal(home.outbound.spi, portal.inbound.spi);
  assert.equal(portal.outbound.spi, home.inbound.spi);
  assert.ok(sameBytes(home.outbound.key.reveal(), portal.inbound.key.reveal()));
  assert.ok(sameBytes(portal.outbound.key.reveal(), home.inbound.key.reveal()));
}

test('four messages make an IKE SA and a child', () => {
  const pair = new Pair();
  pair.initiate();
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_SA_INIT { SA, KE, Ni, N(NATD), N(NATD), N(HASH) }
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_SA_INIT { SA, KE, Nr, ... }
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_AUTH { IDi, N(INITIAL_CONTACT), IDr, AUTH, SA, TSi, TSr }
  assert.deepEqual(pair.portal.kinds(), ['installInbound', 'installOutbound']);
  assert.deepEqual(pair.home.kinds(), []);
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_AUTH { IDr, AUTH, SA, TSi, TSr }
  assert.deepEqual(pair.home.kinds(), ['installInbound', 'installOutbound']);
  assert.deepEqual(
    pair.home.reports.map(({ kind }) => kind),
    ['ikeEstablished', 'childEstablished'],
  );
  sameKeys(pair);
  const { home } = installed(pair);
  assert.deepEqual(home.outbound.local, [selectorOf(parsePrefix('10.1.0.0/24'))]);
  assert.deepEqual([home.outbound.esn, home.outbound.encapsulation, home.outbound.activate], [true, 'none', 'now']);
  const [status] = pair.portal.endpoint.status(0);
  assert.equal(status?.children[0]?.spiOut, home.inbound.spi.toString(16).padStart(8, '0'));
});

test('Ed25519 keys, pinned on both sides', () => {
  const [home, portal] = [ed25519Pair('home'), ed25519Pair('portal')];
  const pair = new Pair({
    home: {
      localAuth: { kind: 'ed25519', privateKey: home.privateKey },
      remoteAuth: { kind: 'ed25519', publicKey: portal.publicKey },
    },
    portal: {
      localAuth: { kind: 'ed25519', privateKey: portal.privateKey },
      remoteAuth: { kind: 'ed25519', publicKey: home.publicKey },
    },
  });
  pair.initiate();
  pair.settle();
  sameKeys(pair);
});

test('another group than the first offered: INVALID_KE_PAYLOAD, and once more', () => {
  const keyExchanges = ['ecp256'] as const;
  const ike = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges } as const;
  const pair = new Pair({ home: { ike: { ...ike, keyExchanges: ['x25519', 'ecp256'] } }, portal: { ike } });
  pair.initiate();
  pair.settle();
  sameKeys(pair);
  assert.equal(pair.home.endpoint.status(0)[0]?.keyExchange, 'ecp256');
});

test('a responder does not choose ESN for a peer that cannot', () => {
  const esp = { ciphers: ['aes-256-gcm-16'], keyExchanges: ['x25519'], esn: [false] } as const;
  const pair = new Pair({ home: { esp } });
  pair.initiate();
  pair.settle();
  assert.equal(installed(pair).portal.outbound.esn, false);
});

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
  sameKeys(pair);
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

test('the same IKE_SA_INIT again gets the same answer, and makes nothing new', () => {
  const pair = new Pair();
  pair.initiate();
  const request = pair.home.next();
  pair.portal.hear(request);
  pair.portal.hear(request);
  const [first, second] = [pair.portal.next(), pair.portal.next()];
  assert.equal(hex(first.bytes), hex(second.bytes));
  // From another address, the same SPI is another initiator only if the message differs (RFC 7296 2.1).
  assert.equal(pair.portal.endpoint.counters().answeredAgain, 1);
});

test('a request is repeated bit by bit, with growing pauses, and given up after a minute', () => {
  const pair = new Pair();
  pair.initiate();
  pair.wait(61_000);
  const sent = pair.home.wire.map(({ bytes }) => hex(bytes));
  assert.equal(new Set(sent).size, 1);
  assert.ok(sent.length >= 12 && sent.length <= 25, `${sent.length} messages`);
  assert.deepEqual(
    pair.home.reports.map((report) => report.kind === 'failed' && report.failure),
    ['noAnswer'],
  );
});

test('a refusal that anybody can forge does not end the attempt at once', () => {
  const ike = { ciphers: ['aes-128-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'] } as const;
  const pair = new Pair({ portal: { ike } });
  pair.initiate();
  const request = pair.home.next();
  pair.portal.hear(request);
  pair.home.hear(pair.portal.next()); // portal -> home  IKE_SA_INIT { N(NO_PROPOSAL_CHOSEN) }
  pair.wait(5_000);
  assert.deepEqual(pair.home.reports, []);
  const honest = new Pair();
  honest.portal.hear(request);
  pair.home.hear(honest.portal.next()); // the better answer
  assert.equal(pair.home.endpoint.status(0)[0]?.state, 'authSent');
});

test('after ten seconds without a better answer the refusal is believed', () => {
  const ike = { ciphers: ['aes-128-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'] } as const;
  const pair = new Pair({ portal: { ike } });
  pair.initiate();
  pair.settle();
  pair.wait(10_000);
  assert.deepEqual(
    pair.home.reports.map((report) => report.kind === 'failed' && report.failure),
    ['noProposalChosen'],
  );
  assert.deepEqual(pair.home.endpoint.status(0), []);
});

const failures = [
  {
    name: 'another shared key',
    config: { home: { localAuth: { kind: 'psk', secret: new Secret(new Uint8Array(6)) } } },
    home: 'authenticationFailed',
    portal: ['failed', 'home', 'peerAuthenticationFailed'],
  },
  {
    name: 'an identity that the portal does not know',
    config: { home: { localId: { kind: 'fqdn', value: 'stranger.example' } } },
    home: 'authenticationFailed',
    portal: ['failed', null, 'peerAuthenticationFailed'],
  },
  {
    name: 'a portal that cannot prove itself',
    config: { portal: { localAuth: { kind: 'psk', secret: new Secret(new Uint8Array(6)) } } },
    home: 'peerAuthenticationFailed',
    portal: ['ikeClosed', 'home', 'authenticationFailed'],
  },
] as const;

for (const { name, config, home, portal } of failures) {
  test(`refused: ${name}`, () => {
    const pair = new Pair(config);
    pair.initiate();
    pair.settle();
    const [last] = pair.home.reports.slice(-1);
    assert.equal(last?.kind === 'failed' && last.failure, home);
    const [closing] = pair.portal.reports.slice(-1);
    assert.ok(closing?.kind === 'failed' || closing?.kind === 'ikeClosed');
    assert.deepEqual([closing.kind, closing.peer, closing.failure], portal);
    assert.deepEqual(pair.home.endpoint.status(0), []);
    assert.deepEqual(pair.portal.endpoint.status(0), []);
    assert.deepEqual(pair.home.kinds(), []);
  });
}

test('without a common ESP proposal there is no SA, and the reason is named', () => {
  const esp = { ciphers: ['chacha20-poly1305'], keyExchanges: ['x25519'], esn: [false] } as const;
  const pair = new Pair({ portal: { esp } });
  pair.initiate();
  pair.settle();
  assert.deepEqual(
    pair.home.reports.map((report) => report.kind === 'failed' && [report.failure, report.detail]),
    [['noChildSa', 'NO_PROPOSAL_CHOSEN']],
  );
  assert.deepEqual([...pair.home.endpoint.status(0), ...pair.portal.endpoint.status(0)], []);
});

test('rekeyed child: inbound before the answer, outbound after it, the old one gone with a delay', () => {
  const pair = new Pair();
  pair.establish();
  pair.home.step({ kind: 'rekey', peer: 'portal', what: 'child' });
  pair.portal.hear(pair.home.next()); // home -> portal  CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, KEi, TSi, TSr }
  assert.deepEqual(pair.portal.kinds(), ['installInbound', 'installOutbound']);
  const waiting = installed(new Pair2(pair)).portal.outbound.activate;
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

/** `installed` wants both sides; before the answer only one has something. */
class Pair2 extends Pair {
  constructor(pair: Pair) {
    super();
    this.portal.effects.push(...pair.portal.effects);
    this.home.effects.push(...pair.portal.effects);
  }
}

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

test('behind a NAT both ends go to port 4500, and only who is behind it sends keepalives', () => {
  const pair = new Pair();
  pair.initiate();
  const outside = { address: '203.0.113.7', port: 23_456 };
  const through = (message: { bytes: Uint8Array; path: typeof atHome }) => ({
    bytes: message.bytes,
    path: { ...message.path, local: outside },
  });
  pair.portal.hear(through(pair.home.next()));
  const back = (message: { bytes: Uint8Array; path: typeof atHome }) => ({
    bytes: message.bytes,
    path: { ...message.path, remote: { ...atHome.local, port: message.path.local.port } },
  });
  pair.home.hear(back(pair.portal.next()));
  const auth = pair.home.next();
  assert.deepEqual([auth.path.local.port, auth.path.remote.port], [4500, 4500]);
  pair.portal.hear(through(auth));
  pair.home.hear(back(pair.portal.next()));
  const { home, portal } = installed(pair);
  assert.deepEqual([home.outbound.encapsulation, portal.outbound.encapsulation], ['udp', 'udp']);
  assert.deepEqual([home.outbound.keepaliveSeconds, portal.outbound.keepaliveSeconds], [20, 0]);
  assert.deepEqual([home.outbound.followPeer, portal.outbound.followPeer], [false, true]);
  assert.deepEqual(portal.outbound.path.remote, outside);
});

test('ESP in UDP without a NAT, when the peer is to have it', () => {
  const pair = new Pair({ home: { encapsulation: 'udp' } });
  pair.initiate();
  pair.settle();
  const { home, portal } = installed(pair);
  assert.deepEqual([home.outbound.encapsulation, portal.outbound.encapsulation], ['udp', 'udp']);
  const [status] = pair.home.endpoint.status(0);
  assert.deepEqual([status?.natLocal, home.outbound.keepaliveSeconds], [false, 0]);
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
