import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../lib/secret.ts';
import { peers } from './pair.ts';
import { Peers, sameTrust } from './peers.ts';
import { identificationOf } from './wire/identification.ts';

const { portal } = peers();

test('a peer is found by its identity, and by the name that it calls us', () => {
  const table = new Peers();
  const other = { ...portal, name: 'other', localId: { kind: 'fqdn', value: 'second.example' } } as const;
  table.set(portal);
  table.set(other);
  const home = identificationOf(portal.remoteId);
  assert.equal(table.find(home, null), portal);
  assert.equal(table.find(home, identificationOf(other.localId)), other);
  assert.equal(table.find(home, identificationOf({ kind: 'fqdn', value: 'nobody' })), null);
  assert.equal(table.find(identificationOf({ kind: 'fqdn', value: 'nobody' }), null), null);
  table.remove('home');
  assert.equal(table.find(home, null), other);
  table.remove('other');
  assert.equal(table.find(home, null), null);
  assert.deepEqual(table.algorithms(), []);
});

test('algorithms and wishes of removed peers are forgotten', () => {
  const table = new Peers();
  table.set({ ...portal, encapsulation: 'udp' });
  table.set({ ...portal, name: 'second' });
  assert.deepEqual([table.algorithms().length, table.forcedUdp], [1, 1]);
  table.set(portal);
  assert.deepEqual([table.algorithms().length, table.forcedUdp], [1, 0]);
});

test('trust changes with keys, identities and selectors, with nothing else', () => {
  assert.ok(sameTrust(portal, { ...portal, livenessSeconds: 5 }));
  const secret = (text: string) => ({ kind: 'psk', secret: new Secret(new Uint8Array(Buffer.from(text))) }) as const;
  assert.ok(sameTrust(portal, { ...portal, localAuth: secret('shared') }));
  assert.ok(!sameTrust(portal, { ...portal, localAuth: secret('another') }));
  assert.ok(!sameTrust(portal, { ...portal, remoteSelectors: [] }));
  assert.ok(!sameTrust(portal, { ...portal, remoteId: { kind: 'fqdn', value: 'x' } }));
});
