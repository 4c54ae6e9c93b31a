import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record, zoneOf } from '../testing.ts';
import { nameFromText, nameToText } from '../wire/name.ts';
import { Type } from '../wire/numbers.ts';
import { lookup } from './lookup.ts';
import type { Zone } from './zone.ts';

/** What proves the absence, by owner, behind the SOA. */
function proofs(zone: Zone, name: string, type: number = Type.A, dnssecOk = true): string[] {
  const { authorities } = lookup(zone, nameFromText(name), type, dnssecOk);
  const owners = authorities.filter((rr) => rr.type === Type.NSEC || rr.type === Type.NSEC3).map(({ owner }) => owner);
  return owners.map(nameToText);
}

/** RFC 4034 6.1, its own example of the canonical order, in another order. */
const inOrder = [
  ...['example', 'a.example', 'yljkjljk.a.example', 'z.a.example', 'zabc.a.example', 'z.example'],
  ...['\\001.z.example', '*.z.example', '\\200.z.example'],
];

test('NSEC: names in canonical order, gaps between them, the last one closing the ring', () => {
  const scrambled = inOrder.toSorted((a, b) => a.length - b.length || (a < b ? 1 : -1));
  const zone = zoneOf(
    'example',
    1,
    scrambled.map((name) => record(name, 'NSEC', 'x')),
  );
  const cases: [string, number, string[]][] = [
    ['a.example', Type.A, ['a.example.']],
    ['b.example', Type.A, ['zabc.a.example.', 'example.']],
    ['za.a.example', Type.A, ['z.a.example.', 'a.example.']],
    ['zz.example', Type.A, ['\\200.z.example.', 'example.']],
    // By the wildcard of z, which has nothing but its NSEC.
    ['\\100.z.example', Type.A, ['*.z.example.']],
  ];
  for (const [name, type, expected] of cases) assert.deepEqual(proofs(zone, name, type), expected, name);
  assert.deepEqual(proofs(zone, 'b.example', Type.A, false), [], 'only for those who ask');
  const nul = zoneOf(
    'corp',
    1,
    ['corp', 'a.corp', 'b.a.corp', 'a\\000.corp'].map((name) => record(name, 'NSEC', 'x')),
  );
  assert.equal(proofs(nul, '\\001.a.corp')[0], 'a.corp.', 'what is below a name comes before its longer neighbours');
});

test('NSEC: what a wildcard stood in for, an empty name, a delegation without keys', () => {
  const owners = ['corp', 'deep.ent.corp', 'sub.corp', '*.w.corp'];
  const zone = zoneOf('corp', 1, [
    ...owners.map((name) => record(name, 'NSEC', 'x')),
    ...owners.map((name) => record(name, 'RRSIG', `\0${String.fromCharCode(Type.NSEC)}`)),
    record('*.w.corp', 'TXT', 'x'),
    record('deep.ent.corp', 'TXT', 'x'),
    record('sub.corp', 'NS', 'ns.elsewhere'),
  ]);
  assert.deepEqual(proofs(zone, 'x.w.corp', Type.TXT), ['*.w.corp.'], 'the gap behind the wildcard');
  assert.deepEqual(proofs(zone, 'x.w.corp', Type.A), ['*.w.corp.'], 'one record that says both');
  assert.deepEqual(proofs(zone, 'ent.corp'), ['corp.']);
  assert.deepEqual(proofs(zone, 'x.sub.corp'), ['sub.corp.']);
  const { authorities } = lookup(zone, nameFromText('nobody.corp'), Type.A, true);
  assert.equal(authorities.filter(({ type }) => type === Type.RRSIG).length, 2, 'each with its signature');
});

/** RFC 5155 appendix A: owners of the example zone, with the names that they are hashes of. */
const hashes: Record<string, string> = {
  '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom': 'example',
  '35mthgpgcu1qg68fab165klnsnk3dpvl': 'a.example',
  gjeqe526plbf1g8mklp59enfd789njgi: 'ai.example',
  '2t7b4g4vsa5smi47k61mv5bv1a22bojr': 'ns1.example',
  q04jkcevqvmu85r014c7dkba38o0ji5r: 'ns2.example',
  k8udemvp1j2f7eg6jebps17vp3n8i58h: 'w.example',
  r53bq7cc2uvmubfu5ocmm6pers9tk9en: '*.w.example',
  b4um86eghhds6nea196smvmlo4ors995: 'x.w.example',
  ji6neoaepv8b5o6k4ev33abha8ht9fgc: 'y.w.example',
  '2vptu5timamqttgl4luu9kg21e0aor3s': 'x.y.w.example',
  t644ebqk9bibcna874givr6joj62mlhv: 'xx.example',
};

test('NSEC3: the answers of RFC 5155 appendix B', () => {
  const parameters = '\x01\0\0\x0c\x04\xaa\xbb\xcc\xdd';
  const named = [
    'a.example',
    'ai.example',
    'ns1.example',
    'ns2.example',
    '*.w.example',
    'x.w.example',
    'x.y.w.example',
  ];
  const zone = zoneOf('example', 1, [
    record('example', 'NSEC3PARAM', parameters),
    ...[...named, 'xx.example'].map((name) => record(name, 'MX', '\0\x01\0')),
    record('a.example', 'NS', 'ns1.a.example'),
    record('c.example', 'NS', 'ns1.c.example'),
    ...Object.keys(hashes).map((hash) => record(`${hash}.example`, 'NSEC3', 'x')),
  ]);
  const cases: [string, string, number, string[]][] = [
    [
      'B.1 no such name',
      'a.c.x.w.example',
      Type.A,
      ['b4um86eghhds6nea196smvmlo4ors995', '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom', '35mthgpgcu1qg68fab165klnsnk3dpvl'],
    ],
    ['B.2 no such type', 'ns1.example', Type.A, ['2t7b4g4vsa5smi47k61mv5bv1a22bojr']],
    ['B.2.1 an empty name', 'y.w.example', Type.A, ['ji6neoaepv8b5o6k4ev33abha8ht9fgc']],
    [
      'B.3 opt-out delegation',
      'mc.c.example',
      Type.A,
      ['0p9mhaveqvm6t7vbl5lop2u3t2rp3tom', '35mthgpgcu1qg68fab165klnsnk3dpvl'],
    ],
    ['B.4 wildcard', 'a.z.w.example', Type.MX, ['q04jkcevqvmu85r014c7dkba38o0ji5r']],
    [
      'B.5 wildcard without the type',
      'a.z.w.example',
      Type.A,
      ['k8udemvp1j2f7eg6jebps17vp3n8i58h', 'q04jkcevqvmu85r014c7dkba38o0ji5r', 'r53bq7cc2uvmubfu5ocmm6pers9tk9en'],
    ],
    ['B.6 DS of the apex', 'example', Type.DS, ['0p9mhaveqvm6t7vbl5lop2u3t2rp3tom']],
  ];
  for (const [what, name, type, expected] of cases) {
    assert.deepEqual(
      proofs(zone, name, type),
      expected.map((hash) => `${hash}.example.`),
      what,
    );
  }
});

test('a zone without proofs, and one that hashes too often, give none', () => {
  const often = '\x01\0\x0f\xff\0';
  const nsec3 = record('0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example', 'NSEC3', 'x');
  for (const records of [[], [nsec3, record('example', 'NSEC3PARAM', often)]]) {
    assert.deepEqual(proofs(zoneOf('example', 1, records), 'x.example'), []);
  }
});
