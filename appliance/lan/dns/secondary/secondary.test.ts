import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../../lib/secret.ts';
import { envAt, record, soaRecord, zoneOf } from '../testing.ts';
import { decodeMessage, type Rr } from '../wire/message.ts';
import { nameFromText } from '../wire/name.ts';
import { Flag, Type } from '../wire/numbers.ts';
import { signMessage, type TsigKey } from '../wire/tsig.ts';
import { MessageWriter } from '../wire/writer.ts';
import type { Zone } from '../zone/zone.ts';
import {
  type Primary,
  type SecondaryEffect,
  type SecondaryEvent,
  type SecondaryState,
  startSecondary,
  step,
  wakeAt,
} from './secondary.ts';

const origin = nameFromText('corp');
const a = record('a.corp', 'A', '10.0.0.1');
const b = record('b.corp', 'A', '10.0.0.2');
const soa = (serial: number) => soaRecord('corp', serial);
const [hour, minute] = [3_600_000, 60_000];

/** The machine on a virtual clock; `seen` is the trace of what it did. */
class Play {
  state: SecondaryState;
  now = 0;
  seen: string[] = [];
  sent: Buffer = Buffer.alloc(0);
  readonly #primaries: readonly Primary[];

  constructor(stored: { zone: Zone; ageSeconds: number } | undefined, key?: TsigKey, primaries = 1) {
    this.#primaries = Array.from({ length: primaries }, (_, i) => ({ address: `10.9.0.${i + 1}`, port: 53, key }));
    this.state = startSecondary({ origin, primaries: this.#primaries }, stored, envAt(0));
  }

  event(event: SecondaryEvent): this {
    const { state, effects } = step(this.state, event, envAt(this.now));
    this.state = state;
    for (const effect of effects) this.#note(effect);
    return this;
  }

  #note(effect: SecondaryEffect): void {
    if (effect.kind === 'send') {
      this.sent = effect.bytes;
      const type = decodeMessage(effect.bytes).questions[0]?.type;
      this.seen.push(`ask ${Object.entries(Type).find(([, value]) => value === type)?.[0]}`);
    } else if (effect.kind === 'connect') this.seen.push(`connect ${effect.primary.address.at(-1)}`);
    else if (effect.kind === 'publish')
      this.seen.push(`publish ${effect.zone.soa.serial}${effect.incremental ? ' by difference' : ''}`);
    else if (effect.kind === 'failed') this.seen.push(`failed: ${effect.problem}`);
    else if (effect.kind !== 'hangUp') this.seen.push(effect.kind);
  }

  /** What happened since the last look. */
  trace(): string {
    const seen = this.seen.join(', ');
    this.seen = [];
    return seen;
  }

  /** Lets the clock run to when the machine wants to wake. @returns milliseconds waited. */
  wake(): number {
    const waited = wakeAt(this.state) - this.now;
    this.now += waited;
    this.event({ kind: 'timer' });
    return waited;
  }

  answer(records: readonly Rr[], change: (bytes: Buffer) => Buffer = (bytes) => bytes): this {
    const request = decodeMessage(this.sent);
    const writer = new MessageWriter(request.id, Flag.QR | Flag.AA);
    for (const question of request.questions) writer.question(question.name, question.type, question.class);
    for (const each of records) writer.record(1, each);
    return this.event({ kind: 'message', bytes: change(writer.finish()) });
  }
}

const rcode = (code: number) => (bytes: Buffer) => {
  bytes[3] = (bytes[3] ?? 0) | code;
  return bytes;
};

test('first start: AXFR at once, then refresh by the SOA', () => {
  const play = new Play(undefined);
  assert.equal(play.wake(), 0);
  play.event({ kind: 'connected' }).answer([soa(1), a, soa(1)]);
  assert.equal(play.trace(), 'connect 1, ask AXFR, refreshed, publish 1, save');
  const waited = play.wake();
  assert.ok(waited > hour * 0.89 && waited <= hour, `${waited}`);
  play.event({ kind: 'connected' }).answer([soa(1)]);
  assert.equal(play.trace(), 'connect 1, ask SOA, refreshed');
});

test('from the disk: served and asked about soon; a newer serial brings a difference', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 100 });
  assert.ok(play.state.held);
  assert.ok(play.wake() < 2_000);
  play
    .event({ kind: 'connected' })
    .answer([soa(2)])
    .answer([soa(2), soa(1), a, soa(2), b, soa(2)]);
  assert.equal(play.trace(), 'connect 1, ask SOA, ask IXFR, refreshed, publish 2 by difference, save');
  assert.equal(decodeMessage(play.sent).authorities[0]?.rdata, soa(1).rdata, 'IXFR says what we have');
});

test('a primary without IXFR, and a difference that does not fit, end in AXFR', () => {
  for (const bad of [() => rcode(4), () => undefined]) {
    const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 0 });
    play.wake();
    play.event({ kind: 'connected' }).answer([soa(2)]);
    const change = bad();
    if (change) play.answer([], change);
    else play.answer([soa(2), soa(1), b, soa(2), soa(2)]);
    play.event({ kind: 'connected' }).answer([soa(2), b, soa(2)]);
    assert.equal(play.trace(), 'connect 1, ask SOA, ask IXFR, connect 1, ask AXFR, refreshed, publish 2, save');
  }
});

test('refresh fails: retry times, then expiry; what is held stays', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 0 });
  play.wake();
  play.event({ kind: 'connected' }).answer([], rcode(5));
  assert.equal(play.trace(), 'connect 1, ask SOA, failed: the primary says REFUSED');
  const retry = play.wake();
  assert.ok(retry > 9 * minute && retry <= 10 * minute, `the SOA's retry: ${retry}`);
  while (play.now < 86_400_000 - 5 * minute) {
    play.event({ kind: 'connected' }).answer([], rcode(5));
    play.wake();
  }
  play.event({ kind: 'closed', problem: 'gone' }).trace();
  while (!play.state.held?.expired) {
    play.wake();
    play.event({ kind: 'closed', problem: 'gone' });
  }
  assert.ok(Math.abs(play.now - 86_400_000) < 1, `expires a day after the last refresh: ${play.now}`);
  assert.ok(play.trace().includes('expired'));
  assert.equal(play.state.held.zone.soa.serial, 1);
  play.wake();
  play.event({ kind: 'connected' }).answer([soa(1)]);
  assert.equal(play.state.held.expired, false, 'fresh again');
});

test('a zone that was too old when it came from the disk is expired at once', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 90_000 });
  play.event({ kind: 'timer' });
  assert.ok(play.state.held?.expired);
});

test('primaries that cannot be reached are tried every few seconds, each in turn', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 0 }, undefined, 3);
  play.wake();
  for (let i = 0; i < 3; i += 1) play.event({ kind: 'closed', problem: 'no way' });
  assert.equal(play.trace(), 'connect 1, failed: no way, connect 2, failed: no way, connect 3, failed: no way');
  const waits = Array.from({ length: 6 }, () => {
    const waited = play.wake();
    for (let i = 0; i < 3; i += 1) play.event({ kind: 'closed', problem: 'no way' });
    return waited;
  });
  assert.ok(Math.max(...waits) <= 4_000, `${waits}`);
});

test('a primary that says nothing is left after eight seconds for the next', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 0 }, undefined, 2);
  play.wake();
  play.event({ kind: 'connected' });
  assert.equal(play.wake(), 8_000);
  play.event({ kind: 'connected' }).answer([soa(1)]);
  assert.equal(play.trace(), 'connect 1, ask SOA, failed: no answer in time, connect 2, ask SOA, refreshed');
});

test('NOTIFY: at once and at its sender; while trying: again afterwards; not for what we have', () => {
  const play = new Play({ zone: zoneOf('corp', 5, [a]), ageSeconds: 0 }, undefined, 2);
  play.event({ kind: 'notify', from: '10.9.0.2', serial: 5 });
  assert.equal(play.trace(), '');
  play.event({ kind: 'notify', from: '10.9.0.2', serial: 6 });
  play.event({ kind: 'notify', from: '10.9.0.1' });
  play
    .event({ kind: 'connected' })
    .answer([soa(6)])
    .answer([soa(6), soa(5), soa(6), soa(6)]);
  assert.equal(play.trace(), 'connect 2, ask SOA, ask IXFR, refreshed, publish 6 by difference, save, connect 1');
});

test('a nudge: whatever was missed while the way was closed is asked for soon', () => {
  const play = new Play({ zone: zoneOf('corp', 1, [a]), ageSeconds: 0 });
  play.wake();
  play
    .event({ kind: 'connected' })
    .answer([soa(1)])
    .trace();
  play.event({ kind: 'nudge' });
  assert.ok(play.wake() <= 500, 'though nothing had failed');
  assert.equal(play.trace(), 'connect 1');
  play.event({ kind: 'nudge' });
  assert.equal(play.trace(), 'connect 1', 'a connection that does not come about is begun anew');
  play
    .event({ kind: 'connected' })
    .event({ kind: 'nudge' })
    .answer([soa(1)]);
  assert.equal(play.trace(), 'ask SOA, refreshed, connect 1', 'an answer under way may be of before');
  play.event({ kind: 'closed', problem: 'no way' }).trace();
  play.event({ kind: 'nudge' });
  assert.ok(play.wake() <= 500, 'after a failure too');
});

test('with a key, only answers that are signed right are believed', () => {
  const key: TsigKey = { name: nameFromText('k'), secret: new Secret(new Uint8Array(32).fill(1)) };
  const wrong = { ...key, secret: new Secret(new Uint8Array(32).fill(2)) };
  const signedBy = (with_: TsigKey, play: Play) => (bytes: Buffer) => {
    const request = decodeMessage(play.sent);
    const mac = play.sent.toString('latin1', play.sent.length - 38, play.sent.length - 6);
    assert.ok(request.tsigAt);
    return signMessage(bytes, with_, 1_790_000_000, mac).bytes;
  };
  for (const [with_, expected] of [
    [undefined, 'failed: not signed'],
    [wrong, 'failed: a wrong signature'],
    [key, 'refreshed, publish 1, save'],
  ] as const) {
    const play = new Play(undefined, key);
    play.wake();
    play.event({ kind: 'connected' });
    play.answer([soa(1), a, soa(1)], with_ && signedBy(with_, play));
    assert.equal(play.trace(), `connect 1, ask AXFR, ${expected}`);
  }
});

test('a thousand octets of nonsense is one failed try', () => {
  const play = new Play(undefined);
  play.wake();
  play.event({ kind: 'connected' }).event({ kind: 'message', bytes: Buffer.alloc(1000, 0xc0) });
  assert.match(play.trace(), /^connect 1, ask AXFR, failed: /);
});
