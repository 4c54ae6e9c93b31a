import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeWake, encodeHello } from '../../appliance/lib/wake.ts';
import { type From, Wakes } from './wakes.ts';

const at = 1_800_000_000_000;
const home: From = { address: '203.0.113.7', port: 4000 };

function desk() {
  const sent: { number: number; counter: number; to: string }[] = [];
  const wakes = new Wakes(new Uint8Array(32).fill(1), (datagram, { address, port }) => {
    const wake = decodeWake(datagram);
    sent.push({ number: wake?.number ?? -1, counter: wake?.counter ?? -1, to: `${address}:${port}` });
  });
  const hello = (counter: number, number: number, from = home, issued = at) => {
    const { ticket, key } = wakes.ticket(7, issued);
    wakes.receive(encodeHello({ ticket, counter, number }, key), from, at + 10);
  };
  return { wakes, sent, hello };
}

test('a hello is answered with the number that is; a change rings until a hello shows that it came', () => {
  const { wakes, sent, hello } = desk();
  wakes.changed([[7, 3]], at);
  hello(1, 3);
  assert.deepEqual(sent.splice(0), [{ number: 3, counter: 1, to: '203.0.113.7:4000' }]);
  wakes.changed([[7, 4]], at + 100);
  wakes.again(at + 150); // not yet
  wakes.again(at + 210);
  assert.deepEqual(
    sent.splice(0).map(({ number }) => number),
    [4, 4],
  );
  hello(2, 4, home, at + 1);
  sent.length = 0;
  for (let later = 0; later < 10_000; later += 100) wakes.again(at + 300 + later);
  assert.deepEqual(sent, []);
});

test('nobody answers: it rings six times in four seconds and stops', () => {
  const { wakes, sent, hello } = desk();
  hello(1, 3);
  sent.length = 0;
  wakes.changed([[7, 4]], at);
  for (let later = 0; later < 60_000; later += 100) wakes.again(at + later);
  assert.equal(sent.length, 6);
});

test('a recorded hello, one of an older ticket, a forged one and garbage move nothing', () => {
  const { wakes, sent, hello } = desk();
  const elsewhere = { address: '192.0.2.66', port: 1 };
  hello(5, 3);
  hello(5, 3, elsewhere);
  hello(9, 3, elsewhere, at - 1);
  const { ticket } = wakes.ticket(7, at);
  wakes.receive(encodeHello({ ticket, counter: 9, number: 1 }, new Uint8Array(32)), elsewhere, at);
  const made = new Wakes(new Uint8Array(32).fill(2), () => undefined).ticket(7, at);
  wakes.receive(encodeHello({ ticket: made.ticket, counter: 9, number: 1 }, made.key), elsewhere, at);
  for (const length of [0, 1, 47, 48, 49, 1400]) wakes.receive(new Uint8Array(length), elsewhere, at);
  assert.deepEqual([...new Set(sent.map(({ to }) => to))], ['203.0.113.7:4000']);
  assert.equal(sent.length, 1);
});

test('a box of before a restart is known after it; one that was purged hears a number that is not its own', () => {
  const before = desk();
  const { ticket, key } = before.wakes.ticket(7, at);
  const after = desk();
  after.wakes.receive(encodeHello({ ticket, counter: 1, number: 3 }, key), home, at);
  assert.deepEqual(
    after.sent.map(({ number }) => number),
    [0],
  );
});
