import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Counters, SaStats } from './index.ts';
import { addressInside, attempt, linkNamespaces, RemotePlane, run, whyNoNamespaces } from './testing/lab.ts';

/*
 *   10.81.1.1  moatA (TUN) - left 192.0.2.1 ======== 192.0.2.2 right - moatB (TUN)  10.81.2.1
 *   fd81:1::1                2001:db8::1            2001:db8::2                     fd81:2::1
 */
const left = `mn${process.pid}a`;
const right = `mn${process.pid}b`;
const skip = whyNoNamespaces() ?? false;

const net = (prefix: string, first: string, last: string) => ({
  startAddress: `${prefix}${first}`,
  endAddress: `${prefix}${last}`,
  protocol: 0,
  startPort: 0,
  endPort: 65535,
});
const leftNet = [net('10.81.1.', '0', '255'), net('fd81:1::', '', 'ffff')];
const rightNet = [net('10.81.2.', '0', '255'), net('fd81:2::', '', 'ffff')];
const outer = {
  4: { left: '192.0.2.1', right: '192.0.2.2' },
  6: { left: '2001:db8::1', right: '2001:db8::2' },
};

type Cell = {
  readonly cipher: 'aes-128-gcm-16' | 'aes-256-gcm-16' | 'chacha20-poly1305';
  readonly esn: boolean;
  readonly family: 4 | 6;
  readonly encapsulation: 'udp' | 'none';
};

const keyOf = (cell: Cell, octet: string) => ({ hex: octet.repeat((cell.cipher === 'aes-128-gcm-16' ? 16 : 32) + 4) });

async function installBoth(a: RemotePlane, b: RemotePlane, cell: Cell, spi: number): Promise<void> {
  const port = cell.encapsulation === 'udp' ? 4500 : 0;
  const ends = outer[cell.family];
  const common = { tunnel: 1, cipher: cell.cipher, esn: cell.esn, aggfrag: false };
  const outbound = { encapsulation: cell.encapsulation, keepaliveSeconds: 0, followPeer: true, activate: 'now' };
  const path = (from: string, to: string) => ({ local: { address: from, port }, remote: { address: to, port } });
  const there = { ...common, spi, key: keyOf(cell, 'a1') };
  const back = { ...common, spi: spi + 1, key: keyOf(cell, 'b2') };
  await a.call('installInbound', { ...back, local: leftNet, remote: rightNet });
  await b.call('installInbound', { ...there, local: rightNet, remote: leftNet });
  await a.call('installOutbound', {
    ...there,
    ...outbound,
    local: leftNet,
    remote: rightNet,
    path: path(ends.left, ends.right),
  });
  await b.call('installOutbound', {
    ...back,
    ...outbound,
    local: rightNet,
    remote: leftNet,
    path: path(ends.right, ends.left),
  });
}

describe('two data planes in two namespaces', { skip, timeout: 60_000 }, () => {
  let a: RemotePlane;
  let b: RemotePlane;

  before(async () => {
    linkNamespaces(left, right);
    run(`ip -n ${left} addr add 2001:db8::1/64 dev wan nodad; ip -n ${right} addr add 2001:db8::2/64 dev wan nodad`);
    a = new RemotePlane(left);
    b = new RemotePlane(right);
    const options = { ports: { ike: 500, natTraversal: 4500 }, replayWindow: 4096 };
    await a.call('open', { ...options, tun: { name: 'moatA', mtu: 1500 } });
    await b.call('open', { ...options, tun: { name: 'moatB', mtu: 1500 } });
    addressInside(left, right);
  });

  after(async () => {
    await Promise.all([a?.end(), b?.end()]);
    attempt(`ip netns del ${left}; ip netns del ${right}`);
  });

  it('posts an acquire, once, for a packet without an SA', async () => {
    attempt(`ip netns exec ${left} ping -c 3 -i 0.05 -W 0.2 10.81.2.1`);
    const { drops } = await a.call<Counters>('counters');
    const acquires = a.events.filter((event) => event.kind === 'acquire');
    assert.deepEqual(acquires, [{ kind: 'acquire', source: '10.81.1.1', destination: '10.81.2.1', protocol: 1 }]);
    assert.equal(drops.noOutboundSa, 3);
  });

  it('carries IKE datagrams of both ports and families with their true paths', async () => {
    for (const family of [4, 6] as const) {
      for (const port of [500, 4500]) {
        const path = { local: { address: outer[family].left, port }, remote: { address: outer[family].right, port } };
        const bytes = { hex: `00${'17'.repeat(39)}` };
        b.events.length = 0;
        await a.call('send', bytes, path);
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.deepEqual(b.events, [{ kind: 'datagram', bytes, path: { local: path.remote, remote: path.local } }]);
      }
    }
  });

  const cells: Cell[] = [
    { cipher: 'aes-128-gcm-16', esn: false, family: 4, encapsulation: 'udp' },
    { cipher: 'aes-256-gcm-16', esn: true, family: 6, encapsulation: 'udp' },
    { cipher: 'chacha20-poly1305', esn: true, family: 4, encapsulation: 'none' },
    { cipher: 'aes-256-gcm-16', esn: false, family: 6, encapsulation: 'none' },
  ];
  cells.forEach((cell, index) => {
    const esn = cell.esn ? 'ESN' : 'no ESN';
    it(`passes ping and TCP: ${cell.cipher}, ${esn}, IPv${cell.family}, ${cell.encapsulation}`, async () => {
      await installBoth(a, b, cell, 0x1000 + 16 * index);
      for (const target of ['10.81.2.1', 'fd81:2::1']) {
        run(`ip netns exec ${left} ping -c 3 -i 0.02 -W 1 -s 1400 ${target}`);
      }
      run(`ip netns exec ${right} timeout 20 iperf3 -s -1 -p 7777 > /dev/null & sleep 0.3
        ip netns exec ${left} timeout 20 iperf3 -c 10.81.2.1 -p 7777 -n 20M > /dev/null; status=$?; wait; exit $status`);
      const stats = await a.call<SaStats[]>('saStats');
      const active = stats.filter((one) => one.active && one.direction === 'outbound');
      assert.deepEqual(
        active.map((one) => one.spi),
        [0x1000 + 16 * index],
      );
    });
  });

  it('names the port that is in use', async () => {
    const second = new RemotePlane(left);
    const options = { tun: { name: 'moatC', mtu: 1500 }, ports: { ike: 500, natTraversal: 4501 }, replayWindow: 4096 };
    await assert.rejects(second.call('open', options), { code: 'EADDRINUSE', message: /UDP port 500 .*in use/ });
    assert.equal(await second.end(), 0);
    assert.equal(attempt(`ip -n ${left} link show moatC`).ok, false);
  });

  it('leaves nothing behind and does not keep Node alive', async () => {
    assert.equal(await a.end(), 0);
    assert.equal(attempt(`ip -n ${left} link show moatA`).ok, false);
  });
});
