import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../../../lib/bytes.ts';
import { record, soaRecord, zoneOf } from '../testing.ts';
import { pack, unpack } from './packed.ts';
import { recordsOf, ZoneBuilder, zoneLimits } from './zone.ts';
import { decodeZoneFile, encodeZoneFile } from './zone-file.ts';

const zone = zoneOf('corp', 7, [
  record('a.b.corp', 'A', '10.0.0.1'),
  record('a.b.corp', 'TXT', 'x'.repeat(700)),
  record('corp', 'NS', 'a.b.corp'),
]);

test('a zone comes back from its file as it was, empty non-terminals too', () => {
  const stored = decodeZoneFile(encodeZoneFile({ zone, refreshedAtSeconds: 1_790_000_000 }));
  assert.deepEqual(stored, { zone, refreshedAtSeconds: 1_790_000_000 });
  assert.ok(stored.zone.nodes.has('\x01b\x04corp\0'));
});

test('no damaged octet and no torn end passes for a zone', () => {
  const file = encodeZoneFile({ zone, refreshedAtSeconds: 1 });
  for (let i = 0; i < file.length; i += 1) {
    const damaged = Buffer.from(file);
    damaged[i] = (damaged[i] ?? 0) ^ 0x10;
    assert.throws(() => decodeZoneFile(damaged), DecodeError, `octet ${i}`);
    assert.throws(() => decodeZoneFile(file.subarray(0, i)), DecodeError, `${i} octets`);
  }
});

test('nodes survive packing', () => {
  const rdata = fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets).toString('latin1'));
  const rrset = fc.record(
    {
      type: fc.constantFrom(1, 16, 65280),
      covered: fc.constant(0),
      ttl: fc.nat(0x7fffffff),
      rdatas: fc.array(rdata, { minLength: 1, maxLength: 5 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(fc.array(rrset, { maxLength: 5 }), (node) => assert.deepEqual(unpack(pack(node)), node)));
});

test('removing what was added leaves what was there', () => {
  const builder = new ZoneBuilder(zone.origin, zone);
  const added = [record('new.deep.corp', 'A', '10.0.0.9'), record('a.b.corp', 'A', '10.0.0.2')];
  for (const each of added) builder.add(each);
  for (const each of added) builder.remove(each);
  assert.deepEqual(builder.finish(), zone);
  assert.equal([...recordsOf(zone)].length, zone.records);
});

test('records that no zone may hold', () => {
  const builder = () => new ZoneBuilder(zone.origin, zone);
  const wrong = [
    record('a.elsewhere', 'A', '10.0.0.1'),
    { ...record('x.corp', 'A', '10.0.0.1'), class: 3 },
    soaRecord('x.corp', 1),
    record('x.corp', 'AXFR', ''),
    soaRecord('corp', 8),
  ];
  for (const each of wrong) assert.throws(() => builder().add({ ...each, owner: each.owner }), DecodeError);
  assert.throws(() => builder().remove(record('nobody.corp', 'A', '10.0.0.1')), /to delete is not there/);
  assert.throws(() => new ZoneBuilder(zone.origin).finish(), /without SOA/);
});

test('a name with endless records is refused before it costs', () => {
  const builder = new ZoneBuilder(zone.origin, zone);
  const began = performance.now();
  assert.throws(() => {
    for (let i = 0; i <= zoneLimits.recordsOfSet; i += 1) builder.add(record('many.corp', 'TXT', `${i}`));
  }, /too many records/);
  assert.ok(performance.now() - began < 1000);
});
