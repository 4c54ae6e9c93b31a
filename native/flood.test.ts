import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { attempt, linkNamespaces, RemotePlane, run, whyNoNamespaces } from './testing/lab.ts';

/* More beginnings of IKE SAs than JavaScript can look at, at half a millisecond each; its other work, and messages for SAs, must go on. */
const left = `mf${process.pid}a`;
const right = `mf${process.pid}b`;
const skip = whyNoNamespaces() ?? false;
const perSecond = 10_000;
/** Longer than the supervisor waits for an answer, which is the bar: without bounds none comes before the end of the flood. */
const seconds = 7;
const patienceMs = 5000;
const headerOctet = { exchange: 18, informational: 37 };

describe('a plane under a flood of strangers', { skip, timeout: 60_000 }, () => {
  let plane: RemotePlane;

  before(async () => {
    linkNamespaces(left, right);
    plane = new RemotePlane(right);
    const ports = { ike: 500, natTraversal: 4500 };
    await plane.call('open', { tun: { name: 'moatF', mtu: 1500 }, ports, replayWindow: 4096 });
    await plane.call('spendOnEvents', 0.5);
    run(`ip netns exec ${left} ping -c 1 192.0.2.2`);
  });

  after(async () => {
    await plane?.end();
    attempt(`ip netns del ${left}; ip netns del ${right}`);
  });

  it('answers its process at once and loses no message for an SA', async () => {
    const script = new URL('testing/flood.ts', import.meta.url).pathname;
    const words = ['netns', 'exec', left, process.execPath, script, '192.0.2.2', `${perSecond}`, `${seconds}`];
    const flood = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = new Promise<string>((resolve) => flood.stdout.setEncoding('utf8').once('data', resolve));
    let ended = false;
    void said.then(() => {
      ended = true;
    });
    let slowest = 0;
    for (let asked = 0; !ended; asked += 1) {
      const began = performance.now();
      await plane.call('counters');
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(asked < 10_000);
    }
    const sent = JSON.parse(await said) as { strangers: number; known: number };
    const exchanges = plane.events.map((event) =>
      event.kind === 'datagram' ? event.bytes : assert.fail(JSON.stringify(event)),
    );
    const octets = exchanges.map((bytes) => Buffer.from((bytes as unknown as { hex: string }).hex, 'hex'));
    const known = octets.filter((each) => each[headerOctet.exchange] === headerOctet.informational).length;
    const strangers = octets.length - known;
    const figures = JSON.stringify({ sent, known, strangers, slowest: Math.round(slowest) });
    assert.ok(strangers < sent.strangers / 2, `it was no flood: ${figures}`);
    assert.ok(slowest < patienceMs, figures);
    assert.ok(known >= sent.known * 0.98, figures);
    console.log(figures);
  });
});
