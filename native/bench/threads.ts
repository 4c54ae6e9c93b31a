import { attempt, linkNamespaces, RemotePlane, run, threadSeconds } from '../testing/lab.ts';

/*
 * One thread beside two: two pairs of planes, each pair in two namespaces joined by a veth pair, which are measured in turns.
 * Usage: node native/bench/threads.ts [rounds]. Medians of TCP throughput one way and both ways at once, processor seconds of both planes per
 * gigabyte, how much of a processor each thread had, and the round trip, idle and beside a TCP stream.
 */
const rounds = Number(process.argv[2] ?? 5);
const seconds = 2;
const threadNames = ['moat-plane', 'moat-plane-out'] as const;
const whole = { startAddress: '0.0.0.0', endAddress: '255.255.255.255', protocol: 0, startPort: 0, endPort: 65535 };

interface Pair {
  readonly threads: 1 | 2;
  readonly left: string;
  readonly right: string;
  readonly planes: readonly [RemotePlane, RemotePlane];
  readonly found: Map<string, number[]>;
}

async function start(threads: 1 | 2): Promise<Pair> {
  const [left, right] = [`mth${process.pid}${threads}a`, `mth${process.pid}${threads}b`];
  linkNamespaces(left, right);
  const planes = [new RemotePlane(left), new RemotePlane(right)] as const;
  const options = { tun: { name: 'moat0', mtu: 1500 }, ports: { ike: 500, natTraversal: 4500 }, replayWindow: 4096 };
  for (const plane of planes) await plane.call('open', { ...options, threads });
  for (const [namespace, own, other] of [
    [left, 1, 2],
    [right, 2, 1],
  ] as const)
    run(`ip -n ${namespace} addr add 10.85.${own}.1/24 dev moat0; ip -n ${namespace} route add 10.85.${other}.0/24 dev moat0
      ip netns exec ${namespace} iperf3 -s -D`);
  await connect(planes);
  return { threads, left, right, planes, found: new Map() };
}

async function connect([a, b]: Pair['planes']): Promise<void> {
  const common = { tunnel: 1, cipher: 'aes-256-gcm-16', esn: true, aggfrag: true, local: [whole], remote: [whole] };
  const outbound = { encapsulation: 'udp', keepaliveSeconds: 0, followPeer: false, activate: 'now' };
  const capabilities = { pathProbes: true, superPackets: false };
  const end = (last: number) => ({ address: `192.0.2.${last}`, port: 4500 });
  const sa = (direction: number) => ({
    ...common,
    spi: 0x3000 + direction,
    key: { hex: 'a1'.repeat(36) },
    capabilities,
  });
  await a.call('installInbound', sa(1));
  await b.call('installInbound', sa(0));
  await a.call('installOutbound', { ...sa(0), ...outbound, path: { local: end(1), remote: end(2) } });
  await b.call('installOutbound', { ...sa(1), ...outbound, path: { local: end(2), remote: end(1) } });
}

const spent = ({ planes }: Pair) => planes.flatMap(({ pid }) => threadNames.map((name) => threadSeconds(pid, name)));

function note({ found }: Pair, what: string, value: number): void {
  found.set(what, [...(found.get(what) ?? []), value]);
}

function ping(pair: Pair, what: string): void {
  const output = run(`ip netns exec ${pair.left} ping -n -c 300 -i 0.004 10.85.2.1`);
  const times = [...output.matchAll(/time=([\d.]+)/g)].map(([, ms]) => Number(ms) * 1000).sort((x, y) => x - y);
  note(pair, `${what} p50, us`, times[Math.floor(times.length / 2)] ?? Number.NaN);
  note(pair, `${what} p99, us`, times[Math.floor(times.length * 0.99)] ?? Number.NaN);
}

function tcp(pair: Pair, what: string, options: string): void {
  const before = spent(pair);
  const { end } = JSON.parse(run(`ip netns exec ${pair.left} iperf3 -c 10.85.2.1 -t ${seconds} -J ${options}`));
  const used = spent(pair).map((value, i) => value - (before[i] ?? 0));
  const bytes = end.sum_received.bytes + (end.sum_received_bidir_reverse?.bytes ?? 0);
  note(pair, `${what}, Gbit/s`, (bytes * 8) / seconds / 1e9);
  note(pair, `${what}, s/GB`, used.reduce((sum, value) => sum + value, 0) / (bytes / 1e9));
  for (const [i, value] of used.entries())
    note(pair, `${what}, % of a processor: ${i < 2 ? 'left' : 'right'} ${threadNames[i % 2]}`, (value / seconds) * 100);
}

function median(values: readonly number[]): string {
  const sorted = [...values].sort((x, y) => x - y);
  const show = (value = Number.NaN) => (value < 20 ? value.toFixed(2) : value.toFixed(0));
  return `${show(sorted[Math.floor(sorted.length / 2)])} (${show(sorted[0])}-${show(sorted.at(-1))})`;
}

const pairs: Pair[] = [];
try {
  for (const threads of [1, 2] as const) pairs.push(await start(threads));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (let round = 0; round < rounds; round += 1) {
    for (const pair of pairs) {
      ping(pair, 'idle');
      tcp(pair, 'up', '');
      tcp(pair, 'both ways', '--bidir');
      run(`ip netns exec ${pair.left} iperf3 -c 10.85.2.1 -t 3 > /dev/null & sleep 0.5`);
      ping(pair, 'beside an upload');
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  for (const what of pairs[0]?.found.keys() ?? [])
    console.log(what.padEnd(58), pairs.map(({ found }) => median(found.get(what) ?? []).padEnd(22)).join(' '));
} finally {
  for (const { planes, left, right } of pairs) {
    await Promise.all(planes.map((plane) => plane.end()));
    attempt(
      `ip netns pids ${left} | xargs -r kill; ip netns pids ${right} | xargs -r kill; ip netns del ${left}; ip netns del ${right}`,
    );
  }
}
