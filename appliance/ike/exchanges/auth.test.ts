import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../lib/secret.ts';
import type { Identity, LocalAuth, Peer, Ppk } from '../api.ts';
import { Pair } from '../pair.ts';
import { type Issued, issue, issueList, type KeyKind, newKey } from '../x509/issue.ts';
import { Trust } from '../x509/trust.ts';

/* Certificates and PPKs in whole exchanges; what makes a certificate good is the matter of `x509/trust.test.ts`. */

const root = issue({ subject: 'CN=Root', key: newKey('p256'), ca: true }, null);
const sub = issue({ subject: 'CN=Sub', key: newKey('p256'), ca: true }, root);
const names = { home: 'home.example', portal: 'portal.example' };

function leafOf(end: 'home' | 'portal', kind: KeyKind = 'p256', notAfter?: number): Issued {
  const wish = { subject: `O=Acme, CN=${end}`, key: newKey(kind), dns: [names[end]], serial: 9 };
  return issue(notAfter === undefined ? wish : { ...wish, notAfter }, sub);
}

function certificate({ key, der }: Issued): LocalAuth {
  const privateKey = new Secret(new Uint8Array(key.export({ format: 'der', type: 'pkcs8' })));
  return { kind: 'x509', privateKey, chain: [der, sub.der] };
}

function trusting(lists: readonly Uint8Array[] = []): Peer['remoteAuth'] {
  const trust = new Trust({ authorities: [root.der], revocation: 'ifAvailable' });
  trust.setRevocationLists(lists);
  return { kind: 'x509', trust };
}

function withCertificates(
  home: Issued,
  portal: Issued,
  changes: { home?: Partial<Peer>; portal?: Partial<Peer> } = {},
) {
  return new Pair({
    home: { localAuth: certificate(home), remoteAuth: trusting(), ...changes.home },
    portal: { localAuth: certificate(portal), remoteAuth: trusting(), ...changes.portal },
  });
}

function outcome(pair: Pair) {
  pair.initiate();
  pair.settle();
  const of = (side: Pair['home']) => side.reports.map((report) => ('failure' in report ? report.failure : report.kind));
  return { home: of(pair.home), portal: of(pair.portal) };
}
const bothUp = ['ikeEstablished', 'childEstablished'];

test('certificates of every kind, an intermediate on the way, in fragments', () => {
  for (const kind of ['ed25519', 'p256', 'p384', 'rsa'] as const) {
    const pair = withCertificates(leafOf('home', kind), leafOf('portal', kind));
    assert.deepEqual(outcome(pair), { home: bothUp, portal: bothUp }, kind);
  }
});

test('an identity by distinguished name', () => {
  const [localId, remoteId]: Identity[] = [
    { kind: 'dn', value: 'O=Acme, CN=home' },
    { kind: 'dn', value: 'O=ACME, CN=Portal' },
  ];
  assert.ok(localId && remoteId);
  const portal = { localId: { kind: 'dn', value: 'O=Acme, CN=portal' }, remoteId: localId } as const;
  const pair = withCertificates(leafOf('home'), leafOf('portal'), { home: { localId, remoteId }, portal });
  assert.deepEqual(outcome(pair), { home: bothUp, portal: bothUp });
});

test('an expired certificate: whose it is learns it by its own clock, the other says so', () => {
  const old = leafOf('home', 'p256', Date.UTC(2026, 5, 1));
  const pair = withCertificates(old, leafOf('portal'));
  assert.deepEqual(outcome(pair), { home: ['ownCertificateTime'], portal: ['certificateTime'] });
  const [report] = pair.home.reports;
  assert.ok(
    report?.kind === 'failed' && /our own certificate of O=Acme, CN=home expired on 2026-06-01/.test(report.detail),
  );
  const other = withCertificates(leafOf('home'), leafOf('portal', 'p256', Date.UTC(2026, 5, 1)));
  // The portal believes that the SA is up until it hears the contrary.
  assert.deepEqual(outcome(other).home, ['certificateTime']);
  assert.deepEqual(other.portal.endpoint.status(0), []);
});

test('a revoked certificate, one of strangers, one without its key, and none', () => {
  const [home, portal] = [leafOf('home'), leafOf('portal')];
  const refuse = (changes: { home?: Partial<Peer>; portal?: Partial<Peer> }) =>
    outcome(withCertificates(home, portal, changes)).portal;
  assert.deepEqual(refuse({ portal: { remoteAuth: trusting([issueList(sub, [9])]) } }), ['certificateRefused']);
  const elsewhere = new Trust({ authorities: [portal.der], revocation: 'ifAvailable' });
  assert.deepEqual(refuse({ portal: { remoteAuth: { kind: 'x509', trust: elsewhere } } }), ['certificateRefused']);
  const stolen = { ...home, key: newKey('p256') };
  assert.deepEqual(refuse({ home: { localAuth: certificate(stolen) } }), ['peerAuthenticationFailed']);
  const psk: LocalAuth = { kind: 'psk', secret: new Secret(new Uint8Array(16)) };
  assert.deepEqual(refuse({ home: { localAuth: psk } }), ['peerAuthenticationFailed']);
});

test('one end by certificate, the other by a shared key', () => {
  const psk = () => ({ kind: 'psk', secret: new Secret(new Uint8Array(16).fill(3)) }) as const;
  const pair = withCertificates(leafOf('home'), leafOf('portal'), {
    home: { localAuth: psk() },
    portal: { remoteAuth: psk() },
  });
  assert.deepEqual(outcome(pair), { home: bothUp, portal: bothUp });
});

function ppk(id: string, required: boolean, fill = 7): { ppk: Ppk } {
  return { ppk: { id, required, secret: new Secret(new Uint8Array(32).fill(fill)) } };
}

function safety(pair: Pair) {
  return [pair.home, pair.portal].map((side) => {
    const [sa] = side.endpoint.status(pair.clock.now);
    return [sa?.quantumSafe, sa?.children[0]?.quantumSafe];
  });
}

test('a PPK on both sides makes traffic safe, and rekeys keep it so', () => {
  for (const required of [true, false]) {
    const pair = new Pair({ home: ppk('k1', required), portal: ppk('k1', required) });
    assert.deepEqual(outcome(pair), { home: bothUp, portal: bothUp });
    assert.deepEqual(safety(pair), [
      ['ppk', 'ppk'],
      ['ppk', 'ppk'],
    ]);
    for (const what of ['ike', 'child'] as const) {
      pair.portal.step({ kind: 'rekey', peer: 'home', what });
      pair.settle();
    }
    assert.deepEqual(safety(pair), [
      ['ppk', 'ppk'],
      ['ppk', 'ppk'],
    ]);
  }
});

test('a PPK that the other end does not have: without it, unless it is required', () => {
  const cases: [Partial<Peer>, Partial<Peer>, unknown][] = [
    [ppk('k1', false), {}, null],
    [{}, ppk('k1', false), null],
    [ppk('k1', false), ppk('k2', false), null],
    [ppk('k1', false), ppk('k2', true), ['authenticationFailed', 'ppkRequired']],
    [{}, ppk('k1', true), ['authenticationFailed', 'ppkRequired']],
    [ppk('k1', true), ppk('k2', false), ['authenticationFailed', 'peerAuthenticationFailed']],
    [ppk('k1', false), ppk('k1', false, 8), ['authenticationFailed', 'peerAuthenticationFailed']],
  ];
  for (const [home, portal, failures] of cases) {
    const pair = new Pair({ home, portal });
    const { home: ours, portal: theirs } = outcome(pair);
    if (failures === null) {
      assert.deepEqual([ours, theirs], [bothUp, bothUp]);
      assert.deepEqual(safety(pair)[0], [null, null]);
    } else assert.deepEqual([ours[0], theirs[0]], failures);
  }
});

test('a required PPK and a peer that knows no PPKs: nothing is sent that depends on it', () => {
  const pair = new Pair({ home: ppk('k1', true) });
  pair.initiate();
  pair.settle();
  pair.wait(20_000);
  const [report] = pair.home.reports;
  assert.ok(report?.kind === 'failed' && report.failure === 'ppkRequired');
});

test('PPK and certificates together: both proofs are signatures', () => {
  const pair = withCertificates(leafOf('home', 'rsa'), leafOf('portal'), {
    home: ppk('k1', false),
    portal: ppk('k2', false),
  });
  assert.deepEqual(outcome(pair), { home: bothUp, portal: bothUp });
});

test('ML-KEM says so, and nothing says that there is nothing', () => {
  const ike = { ciphers: ['aes-256-gcm-16'], prfs: ['hmac-sha2-256'], keyExchanges: ['x25519'] } as const;
  const hybrid = { ike: { ...ike, additionalKeyExchanges: ['mlkem768'] } } as const;
  const pair = new Pair({ home: hybrid, portal: hybrid });
  outcome(pair);
  assert.deepEqual(safety(pair)[0], ['mlkem768', 'mlkem768']);
  const plain = new Pair();
  outcome(plain);
  assert.deepEqual(safety(plain)[0], [null, null]);
});

test('a childless IKE SA has its child by CREATE_CHILD_SA at once', () => {
  const pair = new Pair({ home: { childless: true } });
  pair.initiate();
  for (const side of [pair.portal, pair.home]) side.hear((side === pair.portal ? pair.home : pair.portal).next());
  pair.portal.hear(pair.home.next()); // home -> portal  IKE_AUTH { IDi, IDr, AUTH } without SA, TSi, TSr
  assert.deepEqual(pair.portal.kinds(), []);
  assert.equal(pair.portal.endpoint.status(0)[0]?.children.length, 0);
  pair.settle(); // home -> portal  CREATE_CHILD_SA { SA, Ni, KEi, TSi, TSr }
  const [sa] = pair.home.endpoint.status(0);
  assert.deepEqual([sa?.children.length, sa?.children[0]?.keyExchange], [1, 'x25519']);
  assert.deepEqual(
    pair.home.reports.map(({ kind }) => kind),
    bothUp,
  );
});
