import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Counters } from './index.ts';
import { attempt, connectPlanes, linkNamespaces, RemotePlane, run, whyNoNamespaces } from './testing/lab.ts';

/*
 * A plane whose interface is slower than what wants to leave: 100 Mbit/s behind a kernel queue of 30 MB that never drops. Without back-pressure
 * everything would wait in that queue, or be lost where no flow is known.
 */
const left = `mq${process.pid}a`;
const right = `mq${process.pid}b`;
const skip = whyNoNamespaces() ?? false;
const megabits = 100;

describe('a plane whose way out is full', { skip, timeout: 60_000 }, () => {
  let a: RemotePlane;
  let b: RemotePlane;

  before(async () => {
    linkNamespaces(left, right);
    run(`ip netns exec ${left} tc qdisc add dev wan root tbf rate ${megabits}mbit burst 128kb limit 30mb`);
    [a, b] = [new RemotePlane(left), new RemotePlane(right)];
    const ports = { ike: 500, natTraversal: 4500 };
    for (const plane of [a, b])
      await plane.call('open', { tun: { name: 'moat0', mtu: 1500 }, ports, replayWindow: 4096 });
    run(`ip -n ${left} addr add 10.83.1.1/24 dev moat0; ip -n ${left} route add 10.83.2.0/24 dev moat0
      ip -n ${right} addr add 10.83.2.1/24 dev moat0; ip -n ${right} route add 10.83.1.0/24 dev moat0`);
  });

  after(async () => {
    await Promise.all([a?.end(), b?.end()]);
    attempt(`ip netns del ${left}; ip netns del ${right}`);
  });

  for (const aggfrag of [false, true]) {
    it(`slows the busy flow, loses no envelope and lets others pass (${aggfrag ? 'aggfrag' : 'tunnel mode'})`, async () => {
      await connectPlanes(a, b, aggfrag ? 0x2000 : 0x1000, aggfrag);
      run(`ip netns exec ${left} ping -c 3 -i 0.2 10.83.2.1`);
      run(`ip netns exec ${right} iperf3 -s -1 -D -p 7781; sleep 0.3`);
      const load = `ip netns exec ${left} iperf3 -c 10.83.2.1 -p 7781 -u -b 300M -l 1200 -t 4 >/dev/null & sleep 1`;
      const pings = run(`${load}; ip netns exec ${left} ping -n -c 200 -i 0.01 10.83.2.1; wait`);
      const times = [...pings.matchAll(/time=([\d.]+)/g)].map(([, ms]) => Number(ms)).sort((x, y) => x - y);
      const { drops, sent } = await a.call<Counters>('counters');
      assert.ok(times.length >= 190, pings);
      // Half a megabyte at this rate is 40 ms; the kernel's queue alone would be two seconds, and the socket's once was one.
      const median = times[Math.floor(times.length / 2)] ?? Number.POSITIVE_INFINITY;
      assert.ok(median < 200, `a ping beside a flood of three times the rate took ${median} ms`);
      assert.equal(drops.queueFull, 0, JSON.stringify({ drops, sent }));
      assert.ok((drops.overload ?? 0) > 1000, JSON.stringify(drops));
      assert.ok(sent.octets > (megabits * 1e6 * 2) / 8, 'the line was not kept busy');
    });
  }
});
