import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AnswerCache } from '../forward/cache.ts';
import { Front } from '../front.ts';
import type { Tables } from '../resolve.ts';
import { ask, record, zoneOf } from '../testing.ts';
import { compile } from './compiled.ts';
import { decodeMessage } from './message.ts';
import { nameFromText } from './name.ts';
import { Flag, Type } from './numbers.ts';
import { limitOctets, ReadyAnswers } from './ready.ts';

const zone = zoneOf('corp.example', 1, [
  record('www.corp.example', 'A', '10.0.0.1'),
  record('www.corp.example', 'TXT', 'x'.repeat(200)),
  record('big.corp.example', 'TXT', 'y'.repeat(250)),
  record('big.corp.example', 'TXT', 'z'.repeat(250)),
]);

function tables(served = zone): Tables {
  return {
    zones: new Map([[served.origin, { zone: served, stale: undefined }]]),
    routes: new Map(),
    lanDomain: nameFromText('home.arpa'),
  };
}

function quick(front: Front, question: Buffer, now = 0): Buffer | undefined {
  const out = Buffer.alloc(1280);
  const length = front.ready(question, question.length, out, now);
  return length === 0 ? undefined : out.subarray(0, length);
}

function slow(front: Front, question: Buffer, now = 0): Buffer {
  const outcome = front.handle(question, false, now);
  assert.equal(outcome.kind, 'answer');
  return outcome.kind === 'answer' ? outcome.bytes : Buffer.alloc(0);
}

/** Other letters of the name where `capital` says so. */
function respelled(question: Buffer, name: string, capital: () => boolean): Buffer {
  for (let i = 12; i < 13 + name.length; i += 1) {
    const octet = question[i] ?? 0;
    if (octet >= 97 && capital()) question[i] = octet - 32;
  }
  return question;
}

const questions = fc
  .record({
    name: fc.constantFrom(
      'www.corp.example',
      'big.corp.example',
      'none.corp.example',
      'corp.example',
      'a.b.corp.example',
    ),
    type: fc.constantFrom(Type.A, Type.TXT, Type.SOA, Type.ANY, 65, 97),
    flags: fc.constantFrom(0, Flag.RD, Flag.RD | Flag.CD, Flag.RD | Flag.AD),
    edns: fc.option(fc.record({ udpOctets: fc.constantFrom(0, 512, 1232, 4096), dnssecOk: fc.boolean() }), {
      nil: undefined,
    }),
    id: fc.nat(0xffff),
    spelling: fc.infiniteStream(fc.boolean()),
  })
  .map(({ name, type, flags, edns, id, spelling }) => {
    const bytes = respelled(ask(name, type, { flags, ...(edns && { edns }) }), name, () => spelling.next().value);
    bytes.writeUInt16BE(id, 0);
    return bytes;
  });

test('the quick way says what the slow way says, octet for octet', () => {
  fc.assert(
    fc.property(fc.array(questions, { minLength: 20, maxLength: 200 }), (list) => {
      const front = new Front(new AnswerCache(1_000_000), tables());
      const judge = new Front(new AnswerCache(1_000_000), tables());
      for (const question of list) {
        const expected = slow(judge, question);
        assert.deepEqual(quick(front, question) ?? slow(front, question), expected);
      }
    }),
  );
});

test('asked again, it comes the quick way, in any spelling', () => {
  const front = new Front(new AnswerCache(1_000_000), tables());
  const question = ask('www.corp.example', Type.A);
  assert.equal(quick(front, question), undefined);
  slow(front, question);
  const name = 'www.corp.example';
  const again = quick(
    front,
    respelled(ask(name, Type.A), name, () => true),
  );
  assert.equal(again?.toString('latin1', 13, 16), 'WWW');
  assert.equal(front.counters.ready, 1);
  front.replaceTables(tables(zoneOf('corp.example', 2, [])));
  assert.equal(quick(front, question), undefined, 'another zone, other answers');
});

test('times to live of what was cached run down, and end', () => {
  const cache = new AnswerCache(1_000_000);
  const front = new Front(cache, tables());
  const key = `${nameFromText('www.public.example')}\0\x01\0`;
  const answers = [record('www.public.example', 'A', '192.0.2.1', 300)];
  const compiled = compile(key, { rcode: 0, flags: 0, answers, authorities: [], additionals: [] });
  cache.set(key, { compiled, storedAt: 1000, expiresAt: 301_000 });
  const question = ask('www.public.example', Type.A);
  slow(front, question, 5000);
  const ttl = (now: number) => {
    const bytes = quick(front, question, now);
    return bytes && decodeMessage(bytes).answers[0]?.ttl;
  };
  assert.deepEqual([ttl(5000), ttl(11_999), ttl(12_000), ttl(300_999)], [296, 290, 289, 1]);
  assert.equal(ttl(301_000), undefined);
});

test('questions that nobody repeats, and garbage, cost bounded memory and give nothing', () => {
  const front = new Front(new AnswerCache(1_000_000), tables());
  for (let i = 0; i < 20_000; i += 1) {
    const question = ask(`n${i}.corp.example`, Type.A);
    slow(front, question);
    slow(front, question);
  }
  const last = ask('n19999.corp.example', Type.A);
  assert.ok(quick(front, last));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
      assert.equal(quick(front, Buffer.from(octets)), undefined);
    }),
  );
  for (let end = 0; end < last.length; end += 1) assert.equal(quick(front, last.subarray(0, end)), undefined);
});

test('two names with one hash have an answer each', () => {
  const front = new Front(new AnswerCache(1_000_000), tables());
  const [one, other] = ['tfuexlte', 'cdcpwseh'].map((label) => ask(`${label}.corp.example`, Type.A));
  assert.ok(one && other);
  slow(front, one);
  assert.ok(quick(front, one));
  assert.equal(quick(front, other), undefined);
});

test('large answers are forgotten before they are too many', () => {
  const ready = new ReadyAnswers();
  const compiled = { bytes: Buffer.alloc(1200), ttlOffsets: [], rcode: 0 };
  const origin = { compiled, storedAt: 0, expiresAt: Number.POSITIVE_INFINITY, used: true };
  for (let i = 0; i < 10_000; i += 1) {
    ready.put(ask(`n${i}.example`, Type.A), Buffer.alloc(1200), origin, 0);
    assert.ok(ready.octets <= limitOctets);
  }
  ready.clear();
  assert.equal(ready.octets, 0);
});
