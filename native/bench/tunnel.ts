import { readFileSync } from 'node:fs';
import type { SaStats } from '../index.ts';
import { attempt, RemotePlane, run } from '../testing/lab.ts';

/*
 * Two planes in two namespaces joined by a veth pair of 1500 octets, and iperf3 at both ends, all on this machine.
 * Usage: node native/bench/tunnel.ts [seconds of each run]. Figures: TCP throughput, and CPU seconds of both planes per gigabyte.
 */
const seconds = Number(process.argv[2] ?? 3);
const [left, right] = [`mb${process.pid}a`, `mb${process.pid}b`];
const whole = { startAddress: '0.0.0.0', endAddress: '255.255.255.255', protocol: 0, startPort: 0, endPort: 65535 };

/** CPU seconds of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function install(a: RemotePlane, b: RemotePlane, aggfrag: boolean, spi: number): Promise<void> {
  const probes = { pathProbes: true, superPackets: false };
  const common = { tunnel: 1, cipher: 'aes-256-gcm-16', esn: true, aggfrag, local: [whole], remote: [whole] };
  const outbound = { encapsulation: 'udp', keepaliveSeconds: 0, followPeer: false, activate: 'now' };
  const end = (last: number) => ({ address: `192.0.2.${last}`, port: 4500 });
  const sa = (direction: number) => ({
    ...common,
    spi: spi + direction,
    key: { hex: (direction === 0 ? 'a1' : 'b2').repeat(36) },
    capabilities: probes,
  });
  await a.call('installInbound', sa(1));
  await b.call('installInbound', sa(0));
  await a.call('installOutbound', { ...sa(0), ...outbound, path: { local: end(1), remote: end(2) } });
  await b.call('installOutbound', { ...sa(1), ...outbound, path: { local: end(2), remote: end(1) } });
  await new Promise((resolve) => setTimeout(resolve, 2500));
}

function iperf(options: string): { readonly gigabits: number; readonly lostPercent: number; readonly packets: number } {
  run(`ip netns exec ${right} iperf3 -s -1 -D -p 7777; sleep 0.3`);
  const report = JSON.parse(run(`ip netns exec ${left} iperf3 -c 10.82.2.1 -p 7777 -t ${seconds} -J ${options}`));
  const sum = report.end.sum_received ?? report.end.sum;
  return {
    gigabits: (report.end.sum_received?.bits_per_second || report.end.sum.bits_per_second) / 1e9,
    lostPercent: report.end.sum?.lost_percent ?? 0,
    packets: (sum.packets ?? 0) / seconds,
  };
}

const a = await start(left);
const b = await start(right);

async function start(namespace: string): Promise<RemotePlane> {
  if (namespace === left) {
    run(`ip netns add ${left}; ip netns add ${right}; ip -n ${left} link add wan type veth peer name wan netns ${right}
      for n in ${left} ${right}; do ip -n $n link set lo up; ip -n $n link set wan up; done
      ip -n ${left} addr add 192.0.2.1/24 dev wan; ip -n ${right} addr add 192.0.2.2/24 dev wan`);
  }
  const plane = new RemotePlane(namespace);
  const ports = { ike: 500, natTraversal: 4500 };
  await plane.call('open', { tun: { name: 'moat0', mtu: 1500 }, ports, replayWindow: 4096 });
  const [own, other] = namespace === left ? [1, 2] : [2, 1];
  run(
    `ip -n ${namespace} addr add 10.82.${own}.1/24 dev moat0; ip -n ${namespace} route add 10.82.${other}.0/24 dev moat0`,
  );
  return plane;
}

try {
  let spi = 0x3000;
  for (const aggfrag of [false, true]) {
    spi += 16;
    await install(a, b, aggfrag, spi);
    for (const options of ['', '-R', '-u -b 0 -l 64']) {
      const pids = [a.pid, b.pid];
      const before = pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
      const [statsBefore] = await a.call<SaStats[]>('saStats');
      const { gigabits, lostPercent, packets } = iperf(options);
      const cpu = pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) - before;
      const gigabytes = (gigabits * seconds) / 8;
      const perPacket = packets > 0 ? `  ${Math.round(packets / 1000)} k/s, ${lostPercent.toFixed(1)} % lost` : '';
      const name = `${aggfrag ? 'aggfrag' : 'tunnel '} ${(options || 'up').padEnd(14)}`;
      console.log(`${name} ${gigabits.toFixed(2)} Gbit/s  ${(cpu / gigabytes).toFixed(2)} s/GB${perPacket}`);
      if (statsBefore === undefined) break;
    }
    const rtt = run(`ip netns exec ${left} ping -q -c 300 -i 0.002 10.82.2.1 | tail -1`).trim();
    console.log(`${aggfrag ? 'aggfrag' : 'tunnel '} ${rtt}`);
  }
} finally {
  await Promise.all([a.end(), b.end()]);
  attempt(`ip netns del ${left}; ip netns del ${right}`);
}
