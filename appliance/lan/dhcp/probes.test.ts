import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, DecodeError, fromHex, hex } from '../../lib/bytes.ts';
import { decodeArpReply, encodeArpProbe, parseMac } from './arp.ts';
import { encodeReplyFrame } from './frame.ts';
import { ipv4Octets } from './ipv4.ts';
import { messageType } from './numbers.ts';
import { homeNetwork, macOf, TestServer } from './testing.ts';

const { discover, request, offer, ack } = messageType;
const a = macOf(0xa);
const b = macOf(0xb);

/** `mac` says that it has the address. */
function arpReply(address: string, mac: string): Uint8Array {
  const head = fromHex('020000000099' + '02000000000b' + '0806' + '0001080006040002');
  return concat(head, parseMac(mac), ipv4Octets(address), parseMac('02:00:00:00:00:99'), new Uint8Array(4));
}

function probing(): TestServer {
  return new TestServer([homeNetwork], { probeMilliseconds: 400 });
}

async function pass(home: TestServer, milliseconds: number): Promise<void> {
  home.now += milliseconds;
  home.exchange.tick(home.now);
  await new Promise(setImmediate);
}

test('DISCOVER -> probe, probe, silence -> OFFER within 500 ms', async () => {
  const home = probing();
  assert.equal(await home.say({ type: discover, mac: a }), undefined);
  assert.equal(home.asked.length, 1);
  await pass(home, home.exchange.wakeAt() - home.now);
  assert.equal(home.asked.length, 2);
  assert.equal(home.sent.length, 0);
  assert.equal(await home.say({ type: discover, mac: a }), undefined, 'sent again while probing: still one OFFER');
  await pass(home, home.exchange.wakeAt() - home.now);
  assert.deepEqual(
    home.sent.map(({ type, yiaddr }) => [type, yiaddr]),
    [[offer, home.asked[0]]],
  );
  assert.equal(home.now, 1_000_400);
  assert.equal(home.exchange.wakeAt(), Number.POSITIVE_INFINITY);
});

test('somebody answers: the address is put aside on disk, the next one is probed and offered', async () => {
  const home = probing();
  await home.say({ type: discover, mac: a });
  const taken = home.asked[0] ?? '';
  home.exchange.heard('lan1', arpReply(taken, b), home.now);
  assert.equal(home.leases.at('work', taken)?.state, 'probing', 'another interface says nothing about this one');
  home.exchange.heard('lan0', arpReply(taken, b), home.now);
  assert.equal(home.leases.at('work', taken)?.state, 'declined');
  assert.deepEqual(home.committed, [`declined ${taken}`]);
  assert.equal(home.asked.length, 2);
  await pass(home, 400);
  assert.equal(home.sent[0]?.type, offer);
  assert.notEqual(home.sent[0]?.yiaddr, taken);
});

test('a wire where every address answers ends in silence, not in a storm', async () => {
  const home = new TestServer([{ ...homeNetwork, ranges: [{ first: '10.0.0.10', last: '10.0.0.99' }] }], {});
  await home.say({ type: discover, mac: a });
  for (let i = 0; i < 50; i += 1) home.exchange.heard('lan0', arpReply(home.asked.at(-1) ?? '', b), home.now);
  assert.equal(home.asked.length, 5);
  assert.equal(home.exchange.wakeAt(), Number.POSITIVE_INFINITY);
});

test('the client that asks may still use the address itself: no conflict', async () => {
  const home = probing();
  await home.say({ type: discover, mac: a });
  home.exchange.heard('lan0', arpReply(home.asked[0] ?? '', a), home.now);
  assert.equal(home.sent[0]?.type, offer);
});

test('the last client of an address gets it without waiting', async () => {
  const home = probing();
  await home.say({ type: discover, mac: a });
  await pass(home, 400);
  await home.say({ type: request, mac: a, requested: home.asked[0] ?? '', server: '10.0.0.1' });
  assert.equal(home.sent.at(-1)?.type, ack);
  assert.equal((await home.say({ type: discover, mac: a }))?.type, offer);
  home.now += 100_000_000;
  assert.equal((await home.say({ type: discover, mac: a }))?.type, offer, 'even when it ran out');
  assert.equal(home.asked.length, 1);
});

test('ARP probe and reply, octet by octet (RFC 826, RFC 5227)', () => {
  const probe = encodeArpProbe(parseMac('02:00:00:00:00:01'), '10.0.0.9');
  const expected = ['ffffffffffff', '020000000001', '0806', '0001', '0800', '0604', '0001'];
  assert.equal(hex(probe), [...expected, '020000000001', '00000000', '000000000000', '0a000009'].join(''));
  assert.deepEqual(decodeArpReply(arpReply('10.0.0.9', b)), { address: '10.0.0.9', mac: b });
  assert.equal(decodeArpReply(probe), undefined);
  assert.throws(() => decodeArpReply(probe.subarray(0, 30)), DecodeError);
});

test('a reply frame carries right checksums (RFC 791, RFC 768)', () => {
  const payload = Uint8Array.from({ length: 301 }, (_, i) => i);
  const frame = encodeReplyFrame(payload, {
    sourceMac: parseMac('02:00:00:00:00:01'),
    destinationMac: a,
    source: '10.0.0.1',
    destination: '10.0.0.9',
  });
  assert.equal(hex(frame.subarray(0, 14)), `${a.replaceAll(':', '')}0200000000010800`);
  const sum = (octets: Uint8Array) => {
    let total = 0;
    for (let i = 0; i < octets.length; i += 2) total += ((octets[i] ?? 0) << 8) + (octets[i + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };
  assert.equal(sum(frame.subarray(14, 34)), 0xffff);
  const length = 8 + payload.length;
  assert.equal(
    sum(concat(frame.subarray(26, 34), Uint8Array.of(0, 17, length >> 8, length & 255), frame.subarray(34))),
    0xffff,
  );
  assert.equal(hex(frame.subarray(34, 40)), `00430044${length.toString(16).padStart(4, '0')}`);
});
