import assert from 'node:assert/strict';
import { test } from 'node:test';
import DNS from 'dns2';
import fc from 'fast-check';
import { ask } from '../testing.ts';
import { compile, finishAnswer } from './compiled.ts';
import { decodeMessage } from './message.ts';
import { nameFromText } from './name.ts';
import { Flag, Type, udpOctets } from './numbers.ts';
import { parseQuery, type Query, udpLimit } from './query.ts';

function query(bytes: Buffer): Query {
  const parsed = parseQuery(bytes);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const rr = (octet: number) => ({
  owner: nameFromText('a.moat'),
  type: Type.A as number,
  class: 1,
  ttl: 100,
  rdata: `\x0a\0\0${String.fromCharCode(octet)}`,
});
const parts = (count: number) => ({
  rcode: 0,
  flags: Flag.AA,
  answers: Array.from({ length: count }, (_, i) => rr(i)),
  authorities: [],
  additionals: [],
});
const serve = { limit: 65535, ageSeconds: 0 };

test('the asker gets back his id, his spelling, his flags', () => {
  const bytes = ask('a.moat', Type.A, { flags: Flag.RD | Flag.CD });
  bytes[13] = 0x41; // A.moat
  const asked = query(bytes);
  const answer = finishAnswer(compile(asked.key, parts(1)), asked, serve);
  const message = decodeMessage(answer);
  assert.equal(message.id, 0x4242);
  assert.equal(message.questions[0]?.name, '\x01A\x04moat\0');
  assert.equal(message.flags, Flag.QR | Flag.AA | Flag.RD | Flag.RA | Flag.CD);
  assert.equal(message.edns, undefined, 'no EDNS to those who have none');
  assert.deepEqual(message.answers[0], rr(0));
});

test('another implementation reads the same', () => {
  const asked = query(ask('a.moat', Type.A, { edns: { udpOctets: 1232 } }));
  const packet = DNS.Packet.parse(finishAnswer(compile(asked.key, parts(2)), asked, serve));
  assert.deepEqual(packet.errors, []);
  assert.deepEqual(
    packet.answers.map((answer) => (answer as { address?: string }).address),
    ['10.0.0.0', '10.0.0.1'],
  );
});

test('what does not fit is cut to header and question, with TC', () => {
  for (const edns of [undefined, { udpOctets: 512 }, { udpOctets: 4096 }]) {
    const asked = query(ask('a.moat', Type.A, edns ? { edns } : {}));
    const limit = udpLimit(asked);
    assert.equal(limit, edns?.udpOctets === 4096 ? udpOctets.edns : 512);
    const answer = finishAnswer(compile(asked.key, parts(200)), asked, { ...serve, limit });
    assert.ok(answer.length <= limit);
    const message = decodeMessage(answer);
    assert.ok(message.flags & Flag.TC);
    assert.equal(message.answers.length, 0);
    assert.equal(message.edns !== undefined, edns !== undefined);
  }
});

test('times to live count down and never below zero', () => {
  const asked = query(ask('a.moat', Type.A));
  const compiled = compile(asked.key, parts(2));
  const ttls = (ageSeconds: number, ttlCap?: number) =>
    decodeMessage(
      finishAnswer(compiled, asked, { ...serve, ageSeconds, ...(ttlCap !== undefined && { ttlCap }) }),
    ).answers.map(({ ttl }) => ttl);
  assert.deepEqual(ttls(40), [60, 60]);
  assert.deepEqual(ttls(400), [0, 0]);
  assert.deepEqual(ttls(0, 30), [30, 30]);
  assert.deepEqual(ttls(0), [100, 100], 'the stored answer has not changed');
});

test('AD goes only to those who ask for it (RFC 6840 5.8)', () => {
  const flagsFor = (bytes: Buffer) =>
    decodeMessage(finishAnswer(compile(query(bytes).key, { ...parts(1), flags: Flag.AD }), query(bytes), serve)).flags &
    Flag.AD;
  assert.equal(flagsFor(ask('a.moat', Type.A)), 0);
  assert.equal(flagsFor(ask('a.moat', Type.A, { flags: Flag.AD })), Flag.AD);
  assert.equal(flagsFor(ask('a.moat', Type.A, { edns: { udpOctets: 1232, dnssecOk: true } })), Flag.AD);
});

test('equal questions have equal keys, different ones different keys', () => {
  const key = (...args: Parameters<typeof ask>) => query(ask(...args)).key;
  assert.equal(key('a.moat', 1), key('A.MOAT', 1));
  const keys = [
    key('a.moat', 1),
    key('a.moat', 28),
    key('a.moat', 1, { flags: 0 }),
    key('a.moat', 1, { flags: Flag.RD | Flag.CD }),
    key('a.moat', 1, { edns: { udpOctets: 512, dnssecOk: true } }),
  ];
  assert.equal(new Set(keys).size, keys.length);
});

test('what is no question is told apart and never throws', () => {
  assert.equal(parseQuery(Buffer.alloc(11)), 'drop');
  assert.equal(parseQuery(ask('a.moat', 1, { flags: Flag.QR })), 'drop', 'an answer is never answered');
  assert.equal(parseQuery(ask('a.moat', 1, { flags: 4 << 11 })), 'other');
  const pointer = Buffer.from('0001010000010000000000 00c00c00010001'.replace(' ', ''), 'hex');
  assert.equal(parseQuery(pointer), 'formErr');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
      const parsed = parseQuery(Buffer.from(octets));
      if (typeof parsed !== 'string') finishAnswer(compile(parsed.key, parts(1)), parsed, serve);
    }),
    { numRuns: 2000 },
  );
});
