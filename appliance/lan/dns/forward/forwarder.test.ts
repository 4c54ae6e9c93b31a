import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { envAt, record, soaRecord } from '../testing.ts';
import { decodeMessage, type Rr } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { Flag, Type } from '../wire/numbers.ts';
import { MessageWriter, optRecord } from '../wire/writer.ts';
import { step } from './forwarder.ts';
import {
  type AnswerEffect,
  type ForwarderEvent,
  type Route,
  type SendEffect,
  startForwarder,
  wakeAt,
} from './state.ts';

const route = (servers: number): Route => ({
  domain: '\0',
  servers: Array.from({ length: servers }, (_, i) => ({ address: `192.0.2.${i + 1}`, port: 53 })),
  via: 'wan',
});
const keyOf = (name: string, type = 1) => `${nameFromText(name)}\0${String.fromCharCode(type)}\0`;
const a = record('a.example', 'A', '203.0.113.1', 300);

/** The machine on a virtual clock. `out`: messages to servers; `said`: `waiter: rcode answers [stale] [reason]`. */
class Play {
  readonly state = startForwarder<string>({ cacheOctets: 100_000, staleSeconds: 3600, pending: 4, waiters: 3 });
  now = 0;
  out: SendEffect[] = [];
  said: string[] = [];
  recovered = 0;

  event(event: ForwarderEvent<string>): this {
    for (const effect of step(this.state, event, envAt(this.now)).effects) {
      if (effect.kind === 'send') this.out.push(effect);
      else if (effect.kind === 'answer') this.said.push(say(effect));
      else if (effect.kind === 'recovered') this.recovered += 1;
    }
    return this;
  }

  ask(waiter: string, name = 'a.example', servers = 1): this {
    return this.event({ kind: 'ask', key: keyOf(name), route: route(servers), waiter });
  }

  /** The last message that went out, taken off. */
  sent(): SendEffect {
    const effect = this.out.pop();
    if (!effect) throw new Error('nothing was sent');
    return effect;
  }

  /** The last message that asks for a name, whatever checks of servers went out since. */
  sentTo(name: string): SendEffect {
    const asks = ({ bytes }: SendEffect) =>
      decodeMessage(bytes).questions[0]?.name.toLowerCase() === nameFromText(name);
    return this.out.findLast(asks) ?? assert.fail();
  }

  answer(
    to: SendEffect,
    records: readonly Rr[],
    change: { flags?: number; authority?: Rr; edit?: (bytes: Buffer) => Buffer } = {},
  ): this {
    const asked = decodeMessage(to.bytes);
    const writer = new MessageWriter(asked.id, Flag.QR | Flag.RA | (change.flags ?? 0));
    for (const question of asked.questions) writer.question(question.name, question.type, question.class);
    for (const each of records) writer.record(1, each);
    if (change.authority) writer.record(2, change.authority);
    const bytes = writer.finish();
    return this.event({ kind: 'reply', attempt: to.attempt, bytes: change.edit?.(bytes) ?? bytes });
  }

  /** Runs the clock for so long, waking the machine whenever it wants. */
  pass(milliseconds: number): this {
    const end = this.now + milliseconds;
    while (wakeAt(this.state) <= end) {
      this.now = Math.max(this.now, wakeAt(this.state));
      this.event({ kind: 'timer' });
    }
    this.now = end;
    return this;
  }

  trace(): string {
    const said = this.said.join('; ');
    this.said = [];
    return said;
  }
}

function say({ waiters, compiled, stale, ede }: AnswerEffect<string>): string {
  const count = decodeMessage(compiled.bytes).answers.length;
  return `${waiters.join('+')}: ${compiled.rcode} ${count}${stale ? ' stale' : ''}${ede ? ` (${ede.code} ${ede.text})` : ''}`;
}

test('one question goes out, however many ask it', () => {
  const play = new Play().ask('x').ask('y');
  assert.equal(play.out.length, 1);
  play.answer(play.sent(), [a]);
  assert.equal(play.trace(), 'x+y: 0 1');
  assert.equal(play.state.cache.get(keyOf('a.example'))?.expiresAt, 300_000);
  assert.equal(play.state.attempts.size + play.state.pendings.size, 0);
});

test('what goes out: EDNS 1232, RD and AD, a spelling of its own', () => {
  const play = new Play().ask('x');
  const { bytes, tcp } = play.sent();
  const message = decodeMessage(bytes);
  assert.equal(message.edns?.udpOctets, 1232);
  assert.equal(message.flags, Flag.RD | Flag.AD);
  assert.equal(tcp, false);
  const name = message.questions[0]?.name ?? '';
  assert.equal(name.toLowerCase(), nameFromText('a.example'));
  assert.notEqual(name, nameFromText('a.example'));
});

test('forged answers are ignored: other id, other name, other spelling asks again over TCP', () => {
  const play = new Play().ask('x');
  const sent = play.sent();
  play.answer(sent, [a], {
    edit: (bytes) => Buffer.concat([Buffer.from([bytes[0] ?? 0, (bytes[1] ?? 0) ^ 1]), bytes.subarray(2)]),
  });
  play.answer(sent, [a], {
    edit: (bytes) => Buffer.from(bytes.toString('latin1').replace(/example/i, 'exbmple'), 'latin1'),
  });
  play.answer(sent, [a], { edit: (bytes) => bytes.subarray(0, bytes.length - 1) });
  assert.equal(play.trace() + play.out.length, '0');
  const lower = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace(/example/i, 'EXAMPLE'), 'latin1');
  play.answer(sent, [a], { edit: lower });
  const again = play.sent();
  assert.ok(again.tcp);
  assert.equal(play.answer(again, [a]).trace(), 'x: 0 1');
});

test('a truncated answer is fetched over TCP', () => {
  const play = new Play().ask('x');
  play.answer(play.sent(), [], { flags: Flag.TC });
  const again = play.sent();
  assert.ok(again.tcp);
  assert.equal(play.answer(again, [a, a]).trace(), 'x: 0 2');
});

test('a server without EDNS is asked without, and remembered', () => {
  const play = new Play().ask('x');
  play.answer(play.sent(), [], { flags: 1 });
  const again = play.sent();
  assert.equal(decodeMessage(again.bytes).edns, undefined);
  play.answer(again, [a]);
  assert.equal(play.trace(), 'x: 0 1');
  assert.equal(decodeMessage(play.ask('y', 'b.example').sent().bytes).edns, undefined);
});

test('a late server: the next is asked too, the first answer counts', () => {
  const play = new Play().ask('x', 'a.example', 2);
  const first = play.sent();
  play.pass(400);
  const second = play.sentTo('a.example');
  assert.notEqual(first.upstream.address, second.upstream.address);
  assert.equal(play.answer(first, [a]).trace(), 'x: 0 1');
});

test('SERVFAIL of one server is not the last word; of all it is', () => {
  const play = new Play().ask('x', 'a.example', 2);
  play.answer(play.sent(), [], { flags: 2 });
  assert.equal(play.answer(play.sent(), [a]).trace(), 'x: 0 1');
  play.ask('y', 'b.example', 2);
  play.answer(play.sent(), [], { flags: 2 });
  assert.equal(play.answer(play.sent(), [], { flags: 5 }).trace(), 'y: 5 0');
  assert.equal(play.state.cache.get(keyOf('b.example'))?.expiresAt, 1000, 'remembered for a second');
});

test('servers that are silent: given up, then failing at once with the reason, then found again by probing', () => {
  const play = new Play().ask('x').pass(4_000);
  assert.match(play.trace(), /^x: 2 0 \(22 no resolver on the internet answers: 192\.0\.2\.1 does not answer\)$/);
  play.ask('y', 'b.example').pass(4_000).trace();
  play.ask('z', 'c.example');
  assert.match(play.trace(), /^z: 2 0 \(22/, 'at once');
  play.out = [];
  const from = play.now;
  while (play.out.length === 0) play.pass(50);
  assert.ok(play.now - from <= 3_000, 'looked for every three seconds');
  const probe = play.sent();
  assert.equal(decodeMessage(probe.bytes).questions[0]?.type, Type.NS);
  assert.equal(play.recovered, 0);
  play.answer(probe, []);
  assert.equal(play.recovered, 1, 'whoever else waits for the way hears of it');
  play.out = [];
  play.ask('w', 'd.example').answer(play.sent(), [record('d.example', 'A', '203.0.113.4')]);
  assert.equal(play.trace(), 'w: 0 1');
});

test('a line that dies in silence is noticed before anybody asks; a sleeping house is left alone', () => {
  const awake = new Play().ask('x');
  awake.answer(awake.sent(), [a]).trace();
  awake.pass(14_000);
  assert.match(awake.ask('y', 'b.example').trace(), /^y: 2 0 .22/, 'at once');
  const asleep = new Play().ask('x');
  asleep.answer(asleep.sent(), [a]);
  for (let i = 0; i < 40; i += 1) {
    asleep.pass(10_000);
    while (asleep.out.length > 0) asleep.answer(asleep.sent(), []);
  }
  assert.equal(asleep.pass(60_000).out.length, 0);
});

test('the network says no: failing at once, and probing no faster than every half second', () => {
  const play = new Play().ask('x');
  play.event({ kind: 'error', attempt: play.sent().attempt, problem: 'cannot be reached: no network' });
  assert.match(play.trace(), /^x: 2 0 \(22 .*no network\)$/);
  play.pass(60_000);
  assert.ok(play.out.length <= 60, `${play.out.length} probes in a minute`);
  assert.ok(play.out.length >= 10);
});

test('a closed way fails what is under way and what comes, and opens at once', () => {
  const play = new Play().ask('x');
  play.event({ kind: 'way', way: 'wan', closed: 'The provider is down.' });
  assert.equal(play.trace(), 'x: 2 0 (23 The provider is down.)');
  assert.equal(play.ask('y').trace(), 'y: 2 0 (23 The provider is down.)');
  play.event({ kind: 'way', way: 'wan', closed: undefined });
  play.out = [];
  assert.equal(play.ask('z').answer(play.sent(), [a]).trace(), 'z: 0 1');
});

test('stale is better than nothing, for as long as it is allowed (RFC 8767)', () => {
  const own = new Play();
  own.ask('x').answer(own.sent(), [a]);
  own.trace();
  own.now = 301_000;
  own.ask('y').pass(300);
  assert.equal(own.trace(), '', 'first the servers get their time');
  own.pass(1_600);
  assert.match(own.trace(), /^y: 0 1 stale \(3 /);
  own.now = 300_000 + 3_600_000;
  own.event({ kind: 'way', way: 'wan', closed: 'down' });
  assert.match(own.ask('z').trace(), /^z: 2 0/, 'an hour later it is too old');
});

test('absence is kept as long as the SOA says, and not without one (RFC 2308)', () => {
  const play = new Play().ask('x', 'no.example');
  play.answer(play.sent(), [], { flags: 3, authority: soaRecord('example', 1) });
  assert.equal(play.trace(), 'x: 3 0');
  assert.equal(play.state.cache.get(keyOf('no.example'))?.expiresAt, 60_000, 'the minimum of the SOA');
  play.ask('y', 'none.example').answer(play.sent(), []);
  assert.equal(play.state.cache.get(keyOf('none.example')), undefined);
});

test('extended errors of the resolver come through', () => {
  const play = new Play().ask('x');
  const withEde = (bytes: Buffer) => {
    bytes.writeUInt16BE(1, 10);
    return Buffer.concat([
      bytes,
      optRecord({ udpOctets: 1232, dnssecOk: false, extendedRcode: 0, ede: { code: 6, text: 'DNSSEC bogus' } }),
    ]);
  };
  play.answer(play.sent(), [], { flags: 2, edit: withEde });
  play.pass(5_000);
  assert.deepEqual(play.state.cache.get(keyOf('a.example'))?.compiled.ede, { code: 6, text: 'DNSSEC bogus' });
});

test('everything is bounded: questions, waiters, octets', () => {
  const play = new Play();
  for (let i = 0; i < 6; i += 1) play.ask(`w${i}`, `n${i}.example`);
  assert.equal(play.state.pendings.size, 4);
  assert.match(play.trace(), /w4: 2 0 \(0 too many.*w5/);
  for (let i = 0; i < 5; i += 1) play.ask(`same${i}`, 'n0.example');
  assert.match(play.trace(), /same2: 2 0 .*same3.*same4/);
  for (let i = 0; i < 2000; i += 1) {
    play.ask('w', `many${i}.example`);
    if (play.out.length > 0) play.answer(play.sent(), [a]);
  }
  assert.ok(play.state.cache.octets <= 100_000, `${play.state.cache.octets}`);
});

test('whatever octets a server sends, nothing breaks and the question ends', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (datagrams) => {
      const play = new Play().ask('x');
      const sent = play.sent();
      for (const octets of datagrams) {
        const bytes = Buffer.from(octets);
        sent.bytes.copy(bytes, 0, 0, Math.min(2, bytes.length));
        play.event({ kind: 'reply', attempt: sent.attempt, bytes });
      }
      play.pass(6_000);
      assert.equal(play.said.length, 1);
      assert.equal(play.state.pendings.size, 0);
    }),
  );
});
