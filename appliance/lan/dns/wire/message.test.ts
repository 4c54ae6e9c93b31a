import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, fromHex } from '../../../lib/bytes.ts';
import { decodeMessage, rcodeOf } from './message.ts';
import { nameFromText } from './name.ts';
import { Class, Rcode, Type } from './numbers.ts';
import { serialAfter, soaOf, soaRdata, txtRdata } from './rdata.ts';
import { MessageWriter, optRecord } from './writer.ts';

const bytes = (hex: string) => Buffer.from(fromHex(hex.replace(/\s|\/\/.*$/gm, '')));

test('an answer with compression, MX and EDNS with an extended error', () => {
  const message = decodeMessage(
    bytes(`1234 8580 0001 0001 0000 0001   // QR AA RD RA
           01 61 04 6d6f6174 00 000f 0001  // a.moat MX?
           c00c 000f 0001 00000e10 0009    // a.moat MX, 3600 s
           000a 04 6d61696c c00e           // 10 mail.moat
           00 0029 04d0 00 00 8000 0008    // OPT, 1232, DO
           000f 0004 0016 6e6f             // extended error 22 "no"`),
  );
  assert.equal(message.id, 0x1234);
  assert.deepEqual(message.questions, [{ name: nameFromText('a.moat'), type: Type.MX, class: Class.IN }]);
  const rdata = `\0\x0a${nameFromText('mail.moat')}`;
  assert.deepEqual(message.answers, [{ owner: nameFromText('a.moat'), type: Type.MX, class: 1, ttl: 3600, rdata }]);
  const ede = { code: 22, text: 'no' };
  assert.deepEqual(message.edns, { version: 0, udpOctets: 1232, dnssecOk: true, extendedRcode: 0, ede });
});

test('messages that are wrong in one place', () => {
  const wrong = {
    'a pointer to itself': '0000 0000 0001 0000 0000 0000  c00c 0001 0001',
    'a pointer ahead': '0000 0000 0001 0000 0000 0000  c012 0001 0001 00',
    'two pointers at each other': '0000 0000 0001 0000 0000 0000  c00e c00c 0001 0001',
    'a label of type 1': '0000 0000 0001 0000 0000 0000  41 61 00 0001 0001',
    'a name that runs out': '0000 0000 0001 0000 0000 0000  05 61',
    'a record that runs out': '0000 0000 0000 0001 0000 0000  00 0001 0001 00000000 0004 0a00',
    'a name longer than its RDATA': '0000 0000 0000 0001 0000 0000  00 0005 0001 00000000 0001 01 61 00',
    'RDATA longer than its name': '0000 0000 0000 0001 0000 0000  00 0005 0001 00000000 0003 00 00 00',
    'octets behind the end': '0000 0000 0000 0000 0000 0000  00',
    'two OPT records': '0000 0000 0000 0000 0000 0002  00 0029 0200 00000000 0000  00 0029 0200 00000000 0000',
    'an option longer than OPT': '0000 0000 0000 0000 0000 0001  00 0029 0200 00000000 0004 0003 0009',
  };
  for (const [name, hex] of Object.entries(wrong)) {
    const expected = name.includes('pointer') ? /does not point backwards/ : DecodeError;
    assert.throws(() => decodeMessage(bytes(hex)), expected, name);
  }
});

test('records of any kind come back from the writer as they went in', () => {
  const name = fc.constantFrom('moat', 'a.moat', 'b.a.moat', 'x.example').map(nameFromText);
  const opaque = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets).toString('latin1'));
  const record = fc.oneof(
    fc.record({ type: fc.constantFrom(1, 28, 65280, 44), rdata: opaque }),
    fc.record({ type: fc.constantFrom<number>(Type.NS, Type.CNAME, Type.PTR, Type.DNAME), rdata: name }),
    fc.record({ type: fc.constant(Type.MX as number), rdata: name.map((each) => `\0\x05${each}`) }),
    fc.record({ type: fc.constant(Type.SRV as number), rdata: name.map((each) => `\0\x01\0\x02\0\x35${each}`) }),
    fc.record({ type: fc.constant(Type.TXT as number), rdata: fc.string({ maxLength: 600 }).map(txtRdata) }),
  );
  const rr = fc
    .tuple(name, record, fc.nat(0x7fffffff))
    .map(([owner, { type, rdata }, ttl]) => ({ owner, type, class: 1, ttl, rdata }));
  fc.assert(
    fc.property(fc.array(rr, { maxLength: 30 }), (records) => {
      const writer = new MessageWriter(7, 0x8400);
      writer.question(nameFromText('a.moat'), Type.ANY, 1);
      for (const each of records) assert.ok(writer.record(1, each));
      assert.deepEqual(decodeMessage(writer.finish()).answers, records);
    }),
  );
});

test('any octets decode or are refused, nothing else', () => {
  const header = fc
    .tuple(fc.nat(3), fc.nat(3), fc.nat(3))
    .map(([qd, an, ar]) => [0, 0, 0, 0, 0, qd, 0, an, 0, 0, 0, ar]);
  const body = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0, 0xc0, 12, 1, 41, 250)), { maxLength: 120 });
  fc.assert(
    fc.property(header, body, (head, tail) => {
      try {
        decodeMessage(Buffer.from([...head, ...tail]));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('64 KB of pointers to pointers cost milliseconds, not seconds', () => {
  const bomb = Buffer.alloc(65535);
  bomb.writeUInt16BE(4000, 6);
  // One record whose RDATA holds a name of 60 labels and then a chain of pointers, each to the one before.
  bomb.writeUInt16BE(65280, 13);
  bomb.writeUInt16BE(15_978, 21);
  let at = 23;
  for (; at < 143; at += 2) bomb.writeUInt16BE(0x0161, at);
  at += 1;
  bomb.writeUInt16BE(0xc000 | 23, at);
  for (at += 2; at + 2 <= 16_001; at += 2) bomb.writeUInt16BE(0xc000 | (at - 2), at);
  // Then records that start at the end of the chain.
  const end = at - 2;
  for (at = 16_001; at + 12 < 65535; at += 12) bomb.writeUInt16BE(0xc000 | end, at);
  const began = performance.now();
  assert.throws(() => decodeMessage(bomb), /pointers to pointers/);
  assert.ok(performance.now() - began < 100, `${performance.now() - began} ms`);
});

test('64 KB of records that all expand to 100 labels are given up early', () => {
  const bomb = Buffer.alloc(65535);
  bomb.writeUInt16BE(5000, 6);
  bomb.writeUInt16BE(65280, 13);
  bomb.writeUInt16BE(202, 21);
  for (let at = 23; at < 223; at += 2) bomb.writeUInt16BE(0x0161, at);
  for (let at = 225; at + 12 < 65535; at += 12) bomb.writeUInt16BE(0xc000 | 23, at);
  const began = performance.now();
  assert.throws(() => decodeMessage(bomb), /expand to more than it is worth/);
  assert.ok(performance.now() - began < 100, `${performance.now() - began} ms`);
});

test('the writer stays linear: 5,000 records in milliseconds', () => {
  const writer = new MessageWriter(0, 0);
  const began = performance.now();
  let written = 0;
  while (writer.record(1, { owner: nameFromText(`h${written}.moat`), type: 1, class: 1, ttl: 1, rdata: 'abcd' }))
    written += 1;
  assert.ok(written > 2500, `${written} records`);
  assert.ok(performance.now() - began < 200);
  assert.equal(decodeMessage(writer.finish()).answers.length, written);
});

test('extended rcodes and serials', () => {
  const writer = new MessageWriter(1, 0x8000);
  const bare = writer.finish();
  bare.writeUInt16BE(1, 10);
  const message = decodeMessage(
    Buffer.concat([bare, optRecord({ udpOctets: 1232, dnssecOk: false, extendedRcode: 1 })]),
  );
  assert.equal(rcodeOf(message), Rcode.BADVERS);
  // RFC 1982 5.1 with 32 bits: around the wrap, and the undefined half.
  assert.ok(serialAfter(0, 0xffffffff) && serialAfter(100, 0xfffffff0) && serialAfter(2, 1));
  assert.ok(!serialAfter(1, 1) && !serialAfter(1, 2) && !serialAfter(0x80000000, 0));
  const soa = { primary: '\x01a\0', mailbox: '\0', serial: 4294967295, refresh: 1, retry: 2, expire: 3, minimum: 4 };
  assert.deepEqual(soaOf(soaRdata(soa)), soa);
});
