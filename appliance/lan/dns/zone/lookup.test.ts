import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record, zoneOf } from '../testing.ts';
import { nameFromText, nameToText } from '../wire/name.ts';
import { Flag, Rcode, Type } from '../wire/numbers.ts';
import { lookup } from './lookup.ts';

const signature = (covered: number, mark: string) => `\0${String.fromCharCode(covered)}${mark}`;
const zone = zoneOf('corp', 7, [
  record('corp', 'NS', 'ns.corp'),
  record('ns.corp', 'A', '10.0.0.1'),
  record('*.w.corp', 'A', '10.0.0.2'),
  record('here.w.corp', 'TXT', 'x'),
  record('deep.ent.corp', 'A', '10.0.0.3'),
  record('sub.corp', 'NS', 'ns.sub.corp'),
  record('sub.corp', 'DS', 'ds'),
  record('ns.sub.corp', 'A', '10.0.0.4'),
  record('a.corp', 'CNAME', 'b.corp'),
  record('b.corp', 'CNAME', 'ns.corp'),
  record('out.corp', 'CNAME', 'www.example'),
  record('loop.corp', 'CNAME', 'pool.corp'),
  record('pool.corp', 'CNAME', 'loop.corp'),
  record('old.corp', 'DNAME', 'w.corp'),
  record('signed.corp', 'A', '10.0.0.5'),
  record('signed.corp', 'RRSIG', signature(Type.A, 'a')),
  record('signed.corp', 'RRSIG', signature(Type.TXT, 't')),
]);

/** status, AA, and each section as `owner TYPE` words. */
function say(name: string, type: keyof typeof Type, dnssecOk = false): string {
  const found = lookup(zone, nameFromText(name), Type[type], dnssecOk);
  const typeName = (code: number) => Object.entries(Type).find(([, value]) => value === code)?.[0];
  const section = (rrs: typeof found.answers) =>
    rrs.map((rr) => `${nameToText(rr.owner)} ${typeName(rr.type)}`).join(', ');
  const rcode = Object.entries(Rcode).find(([, value]) => value === found.rcode)?.[0];
  const parts = [section(found.answers), section(found.authorities), section(found.additionals)].map(
    (each) => each || '-',
  );
  const chase = found.chase === undefined ? '' : ` -> ${nameToText(found.chase)}`;
  return `${rcode}${found.flags & Flag.AA ? ' AA' : ''} | ${parts.join(' | ')}${chase}`;
}

const none = '- | corp. SOA | -';

test('what a zone says (RFC 1034 4.3.2, RFC 4592, RFC 6672)', () => {
  const cases: [string, keyof typeof Type, string][] = [
    ['ns.corp', 'A', 'NOERROR AA | ns.corp. A | - | -'],
    ['ns.corp', 'AAAA', `NOERROR AA | ${none}`],
    ['nobody.corp', 'A', `NXDOMAIN AA | ${none}`],
    ['ent.corp', 'A', `NOERROR AA | ${none}`],
    ['x.ent.corp', 'A', `NXDOMAIN AA | ${none}`],
    ['x.w.corp', 'A', 'NOERROR AA | x.w.corp. A | - | -'],
    ['x.y.w.corp', 'A', 'NOERROR AA | x.y.w.corp. A | - | -'],
    ['x.w.corp', 'TXT', `NOERROR AA | ${none}`],
    ['here.w.corp', 'A', `NOERROR AA | ${none}`],
    ['x.here.w.corp', 'A', `NXDOMAIN AA | ${none}`],
    ['*.w.corp', 'A', 'NOERROR AA | *.w.corp. A | - | -'],
    ['sub.corp', 'NS', 'NOERROR | - | sub.corp. NS | ns.sub.corp. A'],
    ['x.sub.corp', 'A', 'NOERROR | - | sub.corp. NS | ns.sub.corp. A'],
    ['ns.sub.corp', 'A', 'NOERROR | - | sub.corp. NS | ns.sub.corp. A'],
    ['sub.corp', 'DS', 'NOERROR AA | sub.corp. DS | - | -'],
    ['a.corp', 'A', 'NOERROR AA | a.corp. CNAME, b.corp. CNAME, ns.corp. A | - | -'],
    ['a.corp', 'CNAME', 'NOERROR AA | a.corp. CNAME | - | -'],
    ['out.corp', 'A', 'NOERROR AA | out.corp. CNAME | - | - -> www.example.'],
    ['x.old.corp', 'A', 'NOERROR AA | old.corp. DNAME, x.old.corp. CNAME, x.w.corp. A | - | -'],
    ['old.corp', 'DNAME', 'NOERROR AA | old.corp. DNAME | - | -'],
    ['old.corp', 'A', `NOERROR AA | ${none}`],
    ['loop.corp', 'A', 'SERVFAIL | - | - | -'],
  ];
  for (const [name, type, expected] of cases) assert.equal(say(name, type), expected, `${name} ${type}`);
});

test('signatures come for those who ask, and only the right ones', () => {
  assert.equal(say('signed.corp', 'A'), 'NOERROR AA | signed.corp. A | - | -');
  assert.equal(say('signed.corp', 'A', true), 'NOERROR AA | signed.corp. A, signed.corp. RRSIG | - | -');
  const [, rrsig] = lookup(zone, nameFromText('signed.corp'), Type.A, true).answers;
  assert.equal(rrsig?.rdata, signature(Type.A, 'a'));
});

test('a DNAME whose target would be too long (RFC 6672 2.2)', () => {
  const long = zoneOf('corp', 1, [record('old.corp', 'DNAME', `${'x'.repeat(60)}.${'y'.repeat(60)}.corp`)]);
  const name = nameFromText(`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.old.corp`);
  assert.equal(lookup(long, name, Type.A, false).rcode, Rcode.YXDOMAIN);
});

test('ANY is one small set (RFC 8482)', () => {
  assert.equal(say('sub.corp', 'ANY').includes('NS'), true);
  assert.equal(say('signed.corp', 'ANY'), 'NOERROR AA | signed.corp. A | - | -');
  assert.equal(say('ent.corp', 'ANY'), 'NOERROR AA | ent.corp. HINFO | - | -');
});

test('an absence lives as long as the SOA says (RFC 2308 5)', () => {
  assert.equal(lookup(zone, nameFromText('nobody.corp'), Type.A, false).authorities[0]?.ttl, 60);
});
