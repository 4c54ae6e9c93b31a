import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex } from '../lib/bytes.ts';
import { parsePrefix, selectorOf } from '../lib/ip.ts';
import { Secret } from '../lib/secret.ts';
import { atHome, ed25519Pair, Pair, sameKeys } from './pair.ts';

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
  const home = pair.home.installed();
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
  assert.equal(pair.portal.installed().outbound.esn, false);
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
  const [home, portal] = [pair.home.installed(), pair.portal.installed()];
  assert.deepEqual([home.outbound.encapsulation, portal.outbound.encapsulation], ['udp', 'udp']);
  assert.deepEqual([home.outbound.keepaliveSeconds, portal.outbound.keepaliveSeconds], [20, 0]);
  assert.deepEqual([home.outbound.followPeer, portal.outbound.followPeer], [false, true]);
  assert.deepEqual(portal.outbound.path.remote, outside);
});

test('ESP in UDP without a NAT, when the peer is to have it', () => {
  const pair = new Pair({ home: { encapsulation: 'udp' } });
  pair.initiate();
  pair.settle();
  const [home, portal] = [pair.home.installed(), pair.portal.installed()];
  assert.deepEqual([home.outbound.encapsulation, portal.outbound.encapsulation], ['udp', 'udp']);
  const [status] = pair.home.endpoint.status(0);
  assert.deepEqual([status?.natLocal, home.outbound.keepaliveSeconds], [false, 0]);
});
