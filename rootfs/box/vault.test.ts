import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeRecord, encodeRecord, type Numbered, newest, nextPlace, type Vault } from './vault.ts';

const vault = (identityKey: string): Vault => ({ identityKey, lastGood: 'role = "home"', ports: null, portal: null });
const record = (number: number): Numbered => ({ number, vault: vault(`key ${number}`) });

test('a record is read back exactly, or not at all', () => {
  const bytes = encodeRecord(record(7));
  assert.deepEqual(decodeRecord(bytes), record(7));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Uint8Array.from(bytes, (octet, index) => (index === at ? octet ^ flip : octet));
      assert.equal(decodeRecord(damaged), null);
    }),
  );
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => assert.equal(decodeRecord(bytes.subarray(0, length)), null)),
  );
});

test('octets after the record do not matter: a place is larger than what is in it', () => {
  const place = new Uint8Array(4096).fill(255);
  place.set(encodeRecord(record(3)));
  assert.deepEqual(decodeRecord(place), record(3));
});

test('one good copy is enough, and the newest wins', () => {
  assert.equal(newest({ first: null, second: record(4), file: null }).best.vault.identityKey, 'key 4');
  assert.equal(newest({ first: record(5), second: record(4), file: record(6) }).best.number, 6);
  assert.deepEqual(newest({ first: null, second: record(4), file: null }).damaged, ['first', 'file']);
  assert.equal(newest({ first: null, second: null, file: null }).best.vault.identityKey, null);
});

test('a write never goes over the newest raw record', () => {
  const place = fc.option(fc.nat(20), { nil: null });
  fc.assert(
    fc.property(place, place, (a, b) => {
      const places = { first: a === null ? null : record(a), second: b === null ? null : record(b), file: null };
      const hit = places[nextPlace(places)];
      const other = places[nextPlace(places) === 'first' ? 'second' : 'first'];
      assert.ok((hit?.number ?? -1) <= (other?.number ?? -1));
    }),
  );
});

test('a record of a box from before portals were kept is read with none', () => {
  const { portal: _, ...before } = vault('key');
  const bytes = encodeRecord({ number: 3, vault: before as Vault });
  assert.deepEqual(decodeRecord(bytes), { number: 3, vault: vault('key') });
});
