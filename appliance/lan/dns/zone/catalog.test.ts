import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record, zoneOf } from '../testing.ts';
import type { Rr } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { type Catalog, type Listed, maxMembers, membership, readCatalog } from './catalog.ts';

const version = record('version.cat', 'TXT', '2');
const member = (label: string, zone: string) => record(`${label}.zones.cat`, 'PTR', zone);
const within = [nameFromText('corp.example')];
const read = (...records: readonly Rr[]) => readCatalog(zoneOf('cat', 1, records), within);

function catalogOf(...records: readonly Rr[]): Catalog {
  const catalog = read(version, ...records);
  if (typeof catalog === 'string') throw new Error(catalog);
  return catalog;
}

test('a catalog lists its members, whatever else is in it', () => {
  const { members, refused } = catalogOf(
    member('one', 'A.Corp.example'),
    member('two', 'corp.example'),
    record('group.one.zones.cat', 'TXT', 'nodnssec'),
    record('coo.one.zones.cat', 'PTR', 'other.example'),
    record('ext.cat', 'TXT', 'anything'),
  );
  assert.deepEqual(
    [...members],
    [
      [nameFromText('a.corp.example'), 'one'],
      [nameFromText('corp.example'), 'two'],
    ],
  );
  assert.deepEqual(refused, []);
});

test('what lies outside is refused, and the rest holds', () => {
  const { members, refused } = catalogOf(
    member('one', 'bank.example'),
    member('two', 'a.corp.example'),
    member('me', 'cat'),
  );
  assert.deepEqual([...members.values()], ['two']);
  assert.deepEqual([...refused].sort(), [nameFromText('bank.example'), nameFromText('cat')].sort());
});

test('a broken catalog is not processed: RFC 9432 4.1, 4.2.1', () => {
  assert.match(String(read(member('one', 'a.corp.example'))), /schema version/);
  assert.match(String(read(record('version.cat', 'TXT', '1'))), /schema version/);
  assert.match(String(read(version, record('version.cat', 'TXT', '1'))), /schema version/);
  assert.match(String(read(version, member('one', 'a.corp.example'), member('one', 'b.corp.example'))), /2 names/);
  assert.match(String(read(version, member('one', 'a.corp.example'), member('two', 'a.corp.example'))), /twice/);
  const many = Array.from({ length: maxMembers + 1 }, (_, i) => member(`m${i}`, `z${i}.corp.example`));
  assert.match(String(read(version, ...many)), /more than/);
});

test('a member stays with the catalog that had it; a configured zone is nobody’s; another label is another zone', () => {
  const [x, y, z] = ['x', 'y', 'z'].map((name) => nameFromText(`${name}.corp.example`)) as [string, string, string];
  const [first, second] = [nameFromText('first'), nameFromText('second')];
  const catalog = (...pairs: readonly (readonly [string, string])[]): Catalog => ({
    members: new Map(pairs),
    refused: [],
  });
  const catalogs = new Map([
    [first, catalog([x, 'a'], [y, 'b'])],
    [second, catalog([x, 'c'], [z, 'd'])],
  ]);
  const before = new Map<string, Listed>([[x, { catalog: second, label: 'old' }]]);
  assert.deepEqual(
    membership(catalogs, new Set([z]), before),
    new Map([
      [x, { catalog: second, label: 'c' }],
      [y, { catalog: first, label: 'b' }],
    ]),
  );
});
