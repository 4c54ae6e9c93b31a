import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { batchSlots, newBatch, openDatagrams, slotOctets } from './index.ts';

const port = 20_000 + (process.pid % 20_000);

/** Answers each datagram with its octets in the opposite order; what is `late` a turn of the loop later. */
function reverser(address: string) {
  const batch = newBatch();
  const seen: number[] = [];
  const socket = openDatagrams(address, port, batch, (count) => {
    seen.push(count);
    for (let i = 0; i < count; i += 1) {
      const at = i * slotOctets.question;
      const length = batch.questionLengths[i] ?? 0;
      const turned = Buffer.from(batch.questions.subarray(at, at + length)).reverse();
      const source = Buffer.from(batch.sources.subarray(i * slotOctets.source, (i + 1) * slotOctets.source));
      if (turned.toString().endsWith('late')) setImmediate(() => assert.ok(socket.send(turned, source)));
      else batch.answerLengths[i] = turned.copy(batch.answers, i * slotOctets.answer);
    }
  });
  return { socket, seen };
}

for (const [address, kind] of [
  ['127.0.0.1', 'udp4'],
  ['::1', 'udp6'],
] as const) {
  test(`${kind}: every question has its own answer, in batches, at once or late`, async () => {
    const { socket, seen } = reverser(address);
    const client = createSocket(kind);
    const heard = new Set<string>();
    client.on('message', (bytes) => heard.add(bytes.toString()));
    const texts = Array.from({ length: 3 * batchSlots }, (_, i) => (i % 5 === 0 ? `etal-${i}` : `question-${i}`));
    for (const text of texts) client.send(text, port, address);
    const expected = texts.map((text) => [...text].reverse().join(''));
    const deadline = Date.now() + 5000;
    while (heard.size < texts.length && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual([...heard].sort(), expected.sort());
    assert.ok(seen.every((count) => count > 0 && count <= batchSlots));
    client.close();
    socket.close();
    socket.close();
  });
}

test('a datagram longer than its slot arrives as nothing, and an answer to nowhere harms nobody', async () => {
  const batch = newBatch();
  const lengths: number[] = [];
  const socket = openDatagrams('127.0.0.1', port, batch, (count) => {
    for (let i = 0; i < count; i += 1) lengths.push(batch.questionLengths[i] ?? -1);
  });
  const client = createSocket('udp4');
  for (const length of [slotOctets.question + 1, slotOctets.question, 1]) {
    client.send(Buffer.alloc(length), port, '127.0.0.1');
  }
  const deadline = Date.now() + 5000;
  while (lengths.length < 3 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(lengths, [0, slotOctets.question, 1]);
  assert.equal(socket.send(Buffer.from('x'), Buffer.alloc(slotOctets.source)), false);
  assert.equal(socket.send(Buffer.from('x'), Buffer.alloc(3)), false);
  client.close();
  socket.close();
  assert.equal(socket.send(Buffer.from('x'), Buffer.alloc(slotOctets.source)), false, 'closed');
});

test('what cannot be listened on says why', () => {
  const batch = newBatch();
  const ignore = () => {};
  assert.throws(() => openDatagrams('192.0.2.1', port, batch, ignore), { code: 'EADDRNOTAVAIL' });
  assert.throws(() => openDatagrams('nonsense', port, batch, ignore), { code: 'EINVAL' });
  const first = openDatagrams('127.0.0.1', port, batch, ignore);
  assert.throws(() => openDatagrams('127.0.0.1', port, batch, ignore), { code: 'EADDRINUSE' });
  first.close();
  assert.throws(() => openDatagrams('127.0.0.1', port, { ...batch, answers: Buffer.alloc(10) }, ignore), RangeError);
});
