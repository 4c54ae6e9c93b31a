import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Counters, SaStats, TunnelStats } from './index.ts';
import { addressInside, attempt, RemotePlane, run, whyNoNamespaces } from './testing/lab.ts';

/*
 *   10.81.1.1 moatA - left 192.0.2.1 ---- 192.0.2.254 router 198.51.100.254 ---- 198.51.100.2 right - moatB 10.81.2.1
 *
 * The router's far link is as narrow as the test says, and every ICMP message that it makes is dropped.
 */
const name = `mm${process.pid}`;
const [left, router, right] = [`${name}a`, `${name}r`, `${name}b`];
const skip = whyNoNamespaces() ?? false;

const anyPort = { protocol: 0, startPort: 0, endPort: 65535 };
const leftNet = [
  { startAddress: '10.81.1.0', endAddress: '10.81.1.255', ...anyPort },
  { startAddress: 'fd81:1::', endAddress: 'fd81:1::ffff', ...anyPort },
];
const rightNet = [
  { startAddress: '10.81.2.0', endAddress: '10.81.2.255', ...anyPort },
  { startAddress: 'fd81:2::', endAddress: 'fd81:2::ffff', ...anyPort },
];
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

type Mode = { readonly aggfrag: boolean; readonly tooBig?: 'ptb'; readonly clampMss?: boolean };

let spi = 0x2000;

async function connect(a: RemotePlane, b: RemotePlane, mode: Mode): Promise<void> {
  spi += 16;
  const common = {
    tunnel: spi,
    cipher: 'aes-256-gcm-16',
    esn: true,
    capabilities: { pathProbes: mode.aggfrag, superPackets: false },
    ...mode,
  };
  const outbound = { encapsulation: 'udp', keepaliveSeconds: 0, followPeer: true, activate: 'now' };
  const path = (from: string, to: string) => ({
    local: { address: from, port: 4500 },
    remote: { address: to, port: 4500 },
  });
  const there = { ...common, spi, key: { hex: 'a1'.repeat(36) } };
  const back = { ...common, spi: spi + 1, key: { hex: 'b2'.repeat(36) } };
  await a.call('installInbound', { ...back, local: leftNet, remote: rightNet });
  await b.call('installInbound', { ...there, local: rightNet, remote: leftNet });
  const [leftPath, rightPath] = [path('192.0.2.1', '198.51.100.2'), path('198.51.100.2', '192.0.2.1')];
  await a.call('installOutbound', { ...there, ...outbound, local: leftNet, remote: rightNet, path: leftPath });
  await b.call('installOutbound', { ...back, ...outbound, local: rightNet, remote: leftNet, path: rightPath });
}

async function disconnect(a: RemotePlane, b: RemotePlane): Promise<void> {
  await a.call('removeOutbound', spi, spi);
  await b.call('removeOutbound', spi, spi + 1);
  await a.call('removeInbound', spi + 1);
  await b.call('removeInbound', spi);
}

/** Only the far link is narrow; its ends still take and send what they can. */
function setPathMtu(mtu: number): void {
  run(`ip -n ${router} link set far mtu ${mtu}; ip -n ${right} link set wan mtu ${mtu}`);
}

async function outboundOf(plane: RemotePlane) {
  // The plane's thread takes up a new SA in its own time.
  for (let tries = 0; tries < 200; tries += 1) {
    const [stats] = await plane.call<TunnelStats[]>('tunnelStats');
    if (stats?.outbound) return stats.outbound;
    await pause(5);
  }
  return assert.fail('no outbound SA became active');
}

async function waitFor(what: string, limitMs: number, done: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  while (!(await done())) {
    if (performance.now() - start > limitMs) assert.fail(`not within ${limitMs} ms: ${what}`);
    await pause(5);
  }
  return performance.now() - start;
}

const pings = (from: string, size: number) =>
  ['10.81.2.1', 'fd81:2::1', '10.81.1.1', 'fd81:1::1']
    .filter(
      (target) =>
        target.includes(from === left ? '81.2.' : '81.1.') || target.includes(from === left ? '81:2' : '81:1'),
    )
    .map(
      (target) =>
        `ip netns exec ${from} ping -M do -c 5 -i 0.01 -W 1 -q -s ${size - (target.includes(':') ? 48 : 28)} ${target}`,
    );

/** What crosses the near link: total length and flags of each outer packet. */
function captureEnvelopes(): { readonly stop: () => { readonly length: number; readonly fragmentable: boolean }[] } {
  const file = `/tmp/${name}.txt`;
  const pid = Number(
    run(
      `ip netns exec ${router} tcpdump -i near -n -v --immediate-mode -l 'ip proto 17' > ${file} 2>/dev/null & echo $!`,
    ),
  );
  run('sleep 0.4');
  return {
    stop: () => {
      run('sleep 0.2');
      process.kill(pid);
      const lines = run(`grep 'proto UDP' ${file}; rm ${file}`).split('\n').slice(0, -1);
      return lines.map((line) => ({
        length: Number(/length (\d+)\)/.exec(line)?.[1]),
        fragmentable: !line.includes('flags [DF]') || !line.includes('offset 0,'),
      }));
    },
  };
}

describe('the virtually-large MTU', { skip, timeout: 180_000 }, () => {
  let a: RemotePlane;
  let b: RemotePlane;

  before(async () => {
    run(`for n in ${left} ${router} ${right}; do ip netns add $n; ip -n $n link set lo up; done
      ip -n ${left} link add wan type veth peer name near netns ${router}
      ip -n ${right} link add wan type veth peer name far netns ${router}
      ip -n ${left} link set wan mtu 9000 up; ip -n ${router} link set near mtu 9000 up
      ip -n ${right} link set wan up; ip -n ${router} link set far up
      ip -n ${left} addr add 192.0.2.1/24 dev wan; ip -n ${router} addr add 192.0.2.254/24 dev near
      ip -n ${right} addr add 198.51.100.2/24 dev wan; ip -n ${router} addr add 198.51.100.254/24 dev far
      ip -n ${left} route add default via 192.0.2.254; ip -n ${right} route add default via 198.51.100.254
      ip netns exec ${router} sysctl -qw net.ipv4.ip_forward=1
      ip netns exec ${router} nft 'add table ip eater; add chain ip eater out { type filter hook output priority 0; }'
      ip netns exec ${router} nft 'add rule ip eater out meta l4proto icmp drop'`);
    a = new RemotePlane(left);
    b = new RemotePlane(right);
    const options = { ports: { ike: 500, natTraversal: 4500 }, replayWindow: 4096 };
    await a.call('open', { ...options, tun: { name: 'moatA', mtu: 9000 } });
    await b.call('open', { ...options, tun: { name: 'moatB', mtu: 9000 } });
    addressInside(left, right);
  });

  after(async () => {
    await Promise.all([a?.end(), b?.end()]);
    attempt(`for n in ${left} ${router} ${right}; do ip netns del $n; done`);
  });

  afterEach(() => disconnect(a, b));

  for (const mtu of [576, 620, 1280, 1300, 1380, 1400, 1420, 1454, 1460, 1480, 1492, 1500, 9000]) {
    it(`passes packets of 1500 and 9000 octets with DF over a path of ${mtu}, ICMP eaten`, async () => {
      setPathMtu(mtu);
      await connect(a, b, { aggfrag: true });
      const complete = async () => !(await outboundOf(a)).searching && !(await outboundOf(b)).searching;
      await waitFor('the search', 3000, complete);
      for (const plane of [a, b]) {
        const outbound = await outboundOf(plane);
        assert.equal(outbound.mode, 'aggfrag');
        assert.equal(outbound.pathMtuSource, 'probed');
        assert.ok(outbound.pathMtu <= mtu && outbound.pathMtu > mtu - 12, `found ${outbound.pathMtu} on ${mtu}`);
      }
      for (const size of [1500, 9000])
        for (const from of [left, right]) for (const ping of pings(from, size)) run(ping);
      const stats = (await a.call<SaStats[]>('saStats')).filter((one) => one.active);
      assert.ok(stats.every((one) => one.mode === 'aggfrag' && one.incomplete === 0));
      const drops = (await b.call<Counters>('counters')).drops;
      assert.equal((drops.malformed ?? 0) + (drops.reassemblyFailed ?? 0), 0);
    });
  }

  it('clamps TCP to one envelope and carries it in both directions', async () => {
    setPathMtu(1454);
    await connect(a, b, { aggfrag: true });
    await waitFor('the search', 3000, async () => !(await outboundOf(a)).searching && !(await outboundOf(b)).searching);
    const { clampMss, envelopePayload } = await outboundOf(a);
    assert.equal(clampMss?.ipv4, envelopePayload - 4 - 40);
    const before = (await a.call<SaStats[]>('saStats')).find((one) => one.direction === 'outbound');
    for (const reverse of ['', '-R']) {
      run(`ip netns exec ${right} timeout 20 iperf3 -s -1 -p 7777 > /dev/null & sleep 0.3
        ip netns exec ${left} timeout 20 iperf3 -c 10.81.2.1 -p 7777 -n 10M ${reverse} > /dev/null; status=$?; wait; exit $status`);
    }
    const after = (await a.call<SaStats[]>('saStats')).find((one) => one.direction === 'outbound');
    const envelopes = (after?.envelopes ?? 0) - (before?.envelopes ?? 0);
    const packets = (after?.packets ?? 0) - (before?.packets ?? 0);
    assert.ok(envelopes <= packets * 1.06, `${envelopes} envelopes for ${packets} packets`);
    for (const plane of [a, b]) {
      const inbound = (await plane.call<SaStats[]>('saStats')).find((one) => one.direction === 'inbound');
      assert.ok((inbound?.lost ?? 0) > 0, 'the numbers of the probes that were too large left the window');
      assert.equal((await plane.call<TunnelStats[]>('tunnelStats'))[0]?.lost, 0, 'and count as no loss of the path');
    }
  });

  it('carries TCP over a narrow path without the clamp', async () => {
    setPathMtu(1300);
    await connect(a, b, { aggfrag: true, clampMss: false });
    run(`ip netns exec ${right} timeout 20 iperf3 -s -1 -p 7777 > /dev/null & sleep 0.3
      ip netns exec ${left} timeout 20 iperf3 -c 10.81.2.1 -p 7777 -n 10M > /dev/null; status=$?; wait; exit $status`);
    assert.equal((await outboundOf(a)).clampMss, null);
  });

  it('notices a path that narrows in under a second and uses a wider one within a minute', async () => {
    setPathMtu(1500);
    await connect(a, b, { aggfrag: true });
    await waitFor('the search', 3000, async () => !(await outboundOf(a)).searching);
    const load = attemptInBackground(`ip netns exec ${left} ping -M do -i 0.002 -w 45 -q -s 1400 10.81.2.1`);
    await pause(1500);
    setPathMtu(1300);
    const noticedMs = await waitFor('the drop', 1000, async () => (await outboundOf(a)).pathMtu <= 1300);
    assert.ok(noticedMs < 1000);
    await waitFor('the search', 3000, async () => (await outboundOf(a)).pathMtu > 1288);
    setPathMtu(1500);
    await waitFor('the rise', 40_000, async () => (await outboundOf(a)).pathMtu > 1488);
    load.kill();
  });

  it('carries packets with DF in fragmented envelopes to a peer without AGGFRAG', async () => {
    setPathMtu(1400);
    await connect(a, b, { aggfrag: false });
    const capture = captureEnvelopes();
    for (const from of [left, right]) for (const ping of pings(from, 1500)) run(ping);
    assert.ok(capture.stop().some(({ fragmentable }) => fragmentable));
    assert.equal((await outboundOf(a)).mode, 'tunnel');
  });

  it('tells the sender what fits in mode ptb', async () => {
    setPathMtu(1500);
    await connect(a, b, { aggfrag: false, tooBig: 'ptb' });
    const { output } = attempt(`ip netns exec ${left} ping -M do -c 2 -W 1 -s 1472 10.81.2.1`);
    assert.match(output, /Frag needed and DF set \(mtu = 1438\)|message too long, mtu=1438/);
    assert.equal(((await a.call<Counters>('counters')).drops.tooBig ?? 0) > 0, true);
    run(`ip netns exec ${left} ping -M do -c 2 -W 1 -s 1410 10.81.2.1`);
    run(`ip netns exec ${left} ping -M dont -c 2 -W 1 -s 1472 10.81.2.1`);
  });
});

function attemptInBackground(command: string): { kill: () => void } {
  const pid = Number(run(`${command} > /dev/null 2>&1 & echo $!`));
  return { kill: () => process.kill(pid) };
}
