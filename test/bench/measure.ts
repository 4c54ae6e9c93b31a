import { runFlow } from '../lab/flow.ts';
import { sleep } from '../lab/processes.ts';
import type { World } from '../lab/world.ts';
import { cpuTime } from './cpu.ts';

/** What is measured, in the order of the table. */
export const measures = {
  tcpUp: { title: 'TCP up', unit: 'Gbit/s', better: 'more' },
  tcpDown: { title: 'TCP down', unit: 'Gbit/s', better: 'more' },
  udpSmall: { title: 'UDP 64 B', unit: 'k/s', better: 'more' },
  udpLarge: { title: 'UDP 1372 B', unit: 'Mbit/s', better: 'more' },
  rttMedian: { title: 'RTT p50', unit: 'us', better: 'less' },
  rttP99: { title: 'RTT p99', unit: 'us', better: 'less' },
  cpuGateways: { title: 'gateways', unit: 'CPU s/GB', better: 'less' },
  cpuMachine: { title: 'machine', unit: 'CPU s/GB', better: 'less' },
} as const;
export type Measure = keyof typeof measures;
export type Sample = Readonly<Record<Measure, number>>;

export interface Effort {
  /** Of one TCP stream in one direction. */
  readonly tcpSeconds: number;
  readonly pings: number;
  /** Of one attempt at one UDP rate. */
  readonly udpSeconds: number;
  /** Bisections of the UDP rate. */
  readonly udpSteps: number;
}

const corp = '10.1.0.10';

/** One round of everything between pc and corp of a world. */
export async function measure(world: World, effort: Effort): Promise<Sample> {
  const ping = await world.pc.ping(corp, { count: effort.pings, interval: 4 });
  const gateways = [world.moat, world.portal];
  const before = await cpuTime(gateways);
  const up = await tcp(world, effort.tcpSeconds, false);
  const down = await tcp(world, effort.tcpSeconds, true);
  const after = await cpuTime(gateways);
  const gigabytes = (up.octets + down.octets) / 1e9;
  return {
    tcpUp: up.bitsPerSecond / 1e9,
    tcpDown: down.bitsPerSecond / 1e9,
    udpSmall: (await udpRate(world, 92, effort)) / 92 / 8 / 1e3,
    udpLarge: (await udpRate(world, 1400, effort)) / 1e6,
    rttMedian: ping.median * 1000,
    rttP99: ping.p99 * 1000,
    cpuGateways: (after.gateways - before.gateways) / gigabytes,
    cpuMachine: (after.machine - before.machine) / gigabytes,
  };
}

async function tcp(
  world: World,
  seconds: number,
  reverse: boolean,
): Promise<{ octets: number; bitsPerSecond: number }> {
  const command = ['iperf3', '-c', corp, '-t', `${seconds}`, '-J', ...(reverse ? ['-R'] : [])];
  const report = JSON.parse(await world.pc.must(command, { timeout: (seconds + 20) * 1000 })) as {
    end: { sum_received: { bytes: number; bits_per_second: number } };
  };
  const { bytes, bits_per_second } = report.end.sum_received;
  return { octets: bytes, bitsPerSecond: bits_per_second };
}

/** The highest rate found, bits of IP a second, at which not one packet of a flow is lost. */
async function udpRate(world: World, octets: number, effort: Effort): Promise<number> {
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  let wanted = 20_000 * octets * 8;
  for (let step = 0; bad === Number.POSITIVE_INFINITY || step < effort.udpSteps; ) {
    const reached = await lossless(world, octets, wanted, effort);
    if (reached > 0) good = Math.max(good, reached);
    // A sender that cannot send faster is the end of the search, too.
    if (reached === 0 || reached < wanted * 0.95) bad = wanted;
    if (bad < Number.POSITIVE_INFINITY) step += 1;
    wanted = bad === Number.POSITIVE_INFINITY ? wanted * 2 : (good + bad) / 2;
  }
  return good;
}

/** The rate that arrived when nothing was lost, otherwise 0. Two tries, because the machine is not ours alone. */
async function lossless(world: World, octets: number, bitsPerSecond: number, effort: Effort): Promise<number> {
  for (let tries = 0; tries < 2; tries += 1) {
    const result = await runFlow(world.pc, world.corp, {
      target: corp,
      octets,
      rateMbit: bitsPerSecond / 1e6,
      seconds: effort.udpSeconds,
    });
    if (result.lost === 0 && result.refused === 0) return result.bitsPerSecond;
    await sleep(100);
  }
  return 0;
}
