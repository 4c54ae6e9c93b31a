import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { Identity } from '../api.ts';
import { identificationOf } from '../wire/identification.ts';
import { type Issued, issue, issueList, type KeyKind, newKey, type Wish } from './issue.ts';
import { ownCertificateProblem, Trust } from './trust.ts';

const now = Date.UTC(2026, 10, 22);
const root = issue({ subject: 'C=CH, O=Acme, CN=Root', key: newKey('p256'), ca: true, keyUsage: '06' }, null);
const fqdn = { kind: 'fqdn', value: 'gw.acme.example' } as const;

function below(issuer: Issued, wish: Partial<Wish> = {}, kind: KeyKind = 'p256'): Issued {
  return issue({ subject: 'C=CH, O=Acme, CN=gw', key: newKey(kind), dns: ['gw.acme.example'], ...wish }, issuer);
}

function authority(issuer: Issued, wish: Partial<Wish> = {}): Issued {
  return issue({ subject: 'O=Acme, CN=Sub', key: newKey('p256'), ca: true, keyUsage: '06', ...wish }, issuer);
}

interface Case {
  readonly chain: readonly Issued[];
  readonly as?: Identity;
  readonly at?: number;
  readonly lists?: readonly Uint8Array[];
  readonly revocation?: 'ifAvailable' | 'required';
}

function verdict({ chain, as = fqdn, at = now, lists = [], revocation = 'ifAvailable' }: Case): string {
  const trust = new Trust({ authorities: [root.der], revocation });
  assert.equal(trust.setRevocationLists(lists), 0, 'all lists can be read');
  const refusal = trust.judge(
    chain.map(({ der }) => der),
    identificationOf(as),
    at,
  );
  return refusal === null ? 'good' : `${refusal.reason}: ${refusal.detail}`;
}

test('what is issued here is a certificate to OpenSSL, too', () => {
  const leaf = below(root, { addresses: ['192.0.2.1'], emails: ['a@acme.example'] });
  const seen = new X509Certificate(leaf.der);
  assert.ok(seen.verify(new X509Certificate(root.der).publicKey));
  assert.equal(seen.subjectAltName, 'DNS:gw.acme.example, email:a@acme.example, IP Address:192.0.2.1');
});

test('every kind of key signs and is signed for', () => {
  for (const kind of ['ed25519', 'p256', 'p384', 'rsa'] as const) {
    const sub = issue({ subject: 'CN=Sub', key: newKey(kind), ca: true }, root);
    assert.equal(verdict({ chain: [below(sub, {}, kind), sub] }), 'good', kind);
  }
});

test('an identity is the subject, or an alternative name, and nothing else', () => {
  const leaf = below(root, { addresses: ['192.0.2.1', '2001:db8::1'], emails: ['ops@acme.example'] });
  const identities: [Identity, boolean][] = [
    [{ kind: 'dn', value: 'C=CH, O=Acme, CN=gw' }, true],
    [{ kind: 'dn', value: 'c=ch, O=ACME,  CN=GW' }, true],
    [{ kind: 'dn', value: 'C=CH, O=Acme, CN=gx' }, false],
    [{ kind: 'dn', value: 'C=CH, O=Acme' }, false],
    [fqdn, true],
    [{ kind: 'fqdn', value: 'gw' }, false],
    [{ kind: 'fqdn', value: 'ops@acme.example' }, false],
    [{ kind: 'rfc822', value: 'ops@acme.example' }, true],
    [{ kind: 'rfc822', value: 'gw.acme.example' }, false],
    [{ kind: 'ipv4', value: '192.0.2.1' }, true],
    [{ kind: 'ipv4', value: '192.0.2.2' }, false],
    [{ kind: 'ipv6', value: '2001:db8::1' }, true],
    [{ kind: 'keyId', value: '00' }, false],
  ];
  for (const [as, good] of identities) {
    assert.equal(verdict({ chain: [leaf], as }) === 'good', good, JSON.stringify(as));
  }
});

test('time: expired and not yet valid are told as that, with the date that this box believes in', () => {
  const old = below(root, { notAfter: Date.UTC(2026, 9, 1) });
  const wanted = 'time: the certificate of C=CH, O=Acme, CN=gw expired on 2026-10-01, and it is 2026-11-22 here';
  assert.equal(verdict({ chain: [old] }), wanted);
  assert.match(
    verdict({ chain: [below(root)], at: 0 }),
    /^time: .* is not valid before 2026-01-01, and it is 1970-01-01 here$/,
  );
  assert.match(verdict({ chain: [below(root)], at: Date.UTC(2037, 0) }), /^time: /);
  assert.match(ownCertificateProblem([old.der], now) ?? '', /our own certificate .* expired on 2026-10-01/);
  assert.equal(ownCertificateProblem([below(root).der], now), null);
});

test('authorities: who is one, how deep, for which names', () => {
  const strangers = issue({ subject: 'C=CH, O=Acme, CN=Root', key: newKey('p256'), ca: true }, null);
  assert.match(verdict({ chain: [below(strangers)] }), /^untrusted: no trusted authority/);
  assert.match(verdict({ chain: [below(strangers), strangers] }), /^untrusted/);
  const user = below(root, { subject: 'CN=user' });
  assert.match(verdict({ chain: [below(user), user] }), /^purpose: .* is not that of an authority/);
  const signerOnly = authority(root, { keyUsage: '80' });
  assert.match(verdict({ chain: [below(signerOnly), signerOnly] }), /^purpose: .* may not issue certificates/);
  const flat = authority(root, { subject: 'CN=Flat', pathLength: 0 });
  const deep = authority(flat);
  assert.equal(verdict({ chain: [below(flat), flat] }), 'good');
  assert.match(verdict({ chain: [below(deep), deep, flat] }), /^purpose: .* allows 0 authorities below it/);
  const bound = authority(root, { permittedDns: ['acme.example'], excludedDns: ['gw.acme.example'] });
  assert.equal(
    verdict({
      chain: [below(bound, { dns: ['a.acme.example'] }), bound],
      as: { kind: 'fqdn', value: 'a.acme.example' },
    }),
    'good',
  );
  assert.match(verdict({ chain: [below(bound), bound] }), /^name: .* may not issue a certificate for gw.acme.example/);
  const elsewhere = below(bound, { dns: ['gw.acme.example.org', 'x.acme.example'] });
  assert.match(verdict({ chain: [elsewhere, bound], as: { kind: 'fqdn', value: 'x.acme.example' } }), /^name/);
});

test('the very certificate of a peer may be trusted, also one that signed itself; its time counts all the same', () => {
  const own = issue(
    { subject: 'CN=gw', key: newKey('p256'), dns: ['gw.acme.example'], notAfter: Date.UTC(2027, 0) },
    null,
  );
  const trust = new Trust({ authorities: [own.der], revocation: 'required' });
  assert.equal(trust.judge([own.der], identificationOf(fqdn), now), null);
  assert.equal(trust.judge([own.der], identificationOf(fqdn), Date.UTC(2028, 0))?.reason, 'time');
  const copy = issue({ subject: 'CN=gw', key: newKey('p256'), dns: ['gw.acme.example'] }, null);
  assert.equal(trust.judge([copy.der], identificationOf(fqdn), now)?.reason, 'untrusted');
});

test('purpose: key usage, extended key usage, critical extensions', () => {
  assert.match(verdict({ chain: [below(root, { keyUsage: '20' })] }), /^purpose: .* may not be used for signatures/);
  assert.equal(verdict({ chain: [below(root, { keyUsage: '80' })] }), 'good');
  assert.match(
    verdict({ chain: [below(root, { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] })] }),
    /^purpose: .* for other purposes/,
  );
  assert.equal(verdict({ chain: [below(root, { extendedKeyUsage: ['1.3.6.1.5.5.7.3.17'] })] }), 'good');
  assert.match(
    verdict({ chain: [below(root, { critical: '1.2.3.4' })] }),
    /^purpose: .* critical extension .*\(1.2.3.4\)/,
  );
});

test('revocation: listed is refused; a list that is old, forged or not there says nothing, which is enough only if none is required', () => {
  const leaf = below(root, { serial: 7 });
  const list = issueList(root, [5, 7]);
  assert.match(verdict({ chain: [leaf], lists: [list] }), /^revoked: .* was revoked by C=CH, O=Acme, CN=Root/);
  assert.equal(verdict({ chain: [below(root, { serial: 6 })], lists: [list], revocation: 'required' }), 'good');
  const forger = issue({ subject: 'C=CH, O=Acme, CN=Root', key: newKey('p256'), ca: true }, null);
  const useless = [[], [issueList(forger, [])], [issueList(root, [], { nextUpdate: Date.UTC(2026, 5, 1) })]];
  for (const lists of useless) {
    assert.equal(verdict({ chain: [leaf], lists }), 'good');
    assert.match(verdict({ chain: [leaf], lists, revocation: 'required' }), /^revoked: no valid revocation list of/);
  }
});

test('a circle of authorities and a heap of intermediates are no work without end', () => {
  const key = newKey('p256');
  const a = issue({ subject: 'CN=A', key, ca: true }, { der: new Uint8Array(), subject: 'CN=B', key });
  const b = issue({ subject: 'CN=B', key, ca: true }, { der: new Uint8Array(), subject: 'CN=A', key });
  const many = Array.from({ length: 40 }, (_, serial) => issue({ subject: 'CN=A', key, ca: true, serial }, b));
  const leaf = below(a);
  const began = performance.now();
  assert.match(verdict({ chain: [leaf, a, b, ...many] }), /^untrusted/);
  assert.ok(performance.now() - began < 1_000);
});

test('what cannot be read is no certificate, and no fault', () => {
  const trust = new Trust({ authorities: [root.der], revocation: 'ifAvailable' });
  for (const chain of [[], [new Uint8Array()], [root.der.subarray(1)], [Uint8Array.of(0x30, 0x80, 0, 0)]]) {
    assert.equal(trust.judge(chain, identificationOf(fqdn), now)?.reason, 'untrusted');
  }
  assert.equal(trust.setRevocationLists([root.der]), 1);
});
