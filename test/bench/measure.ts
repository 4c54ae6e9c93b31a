import { sleep } from '../lab/processes.ts';
import type { World } from '../lab/world.ts';
import { type CpuTime, residentOctets } from './cpu.ts';
import { type Hint, losslessRate, type PacketRate, type SearchEffort } from './packets.ts';
import { bulkTcp, type TcpResult } from './tcp.ts';
import { Wan } from './wan.ts';

/** What is measured, in the order of the tables. */
export const measures = {
  tcp1Up: { group: 'TCP', title: '1 stream up', unit: 'Gbit/s' },
  tcp1Down: { group: 'TCP', title: '1 stream down', unit: 'Gbit/s' },
  tcp4Up: { group: 'TCP', title: '4 streams up', unit: 'Gbit/s' },
  tcp4Down: { group: 'TCP', title: '4 streams down', unit: 'Gbit/s' },
  cutTcp1Up: { group: 'WAN that cuts', title: 'TCP up', unit: 'Gbit/s' },
  cutTcp1Down: { group: 'WAN that cuts', title: 'TCP down', unit: 'Gbit/s' },
  cutGateways: { group: 'WAN that cuts', title: 'gateways', unit: 'CPU s/GB' },
  cutUdp64: { group: 'WAN that cuts', title: 'UDP 64', unit: 'k/s' },
  udp64: { group: 'UDP without loss', title: '64 octets', unit: 'k/s' },
  udp1200: { group: 'UDP without loss', title: '1200 octets', unit: 'k/s' },
  rttIdleP50: { group: 'Round trip', title: 'idle p50', unit: 'us' },
  rttIdleP99: { group: 'Round trip', title: 'idle p99', unit: 'us' },
  rttLoadP50: { group: 'Round trip', title: 'upload p50', unit: 'us' },
  rttLoadP99: { group: 'Round trip', title: 'upload p99', unit: 'us' },
  gateways: { group: 'Cost', title: 'gateways', unit: 'CPU s/GB' },
  softirq: { group: 'Cost', title: 'ksoftirqd', unit: 'CPU s/GB' },
  machine: { group: 'Cost', title: 'machine', unit: 'CPU s/GB' },
  perPacket: { group: 'Cost', title: 'gateways', unit: 's/M packets' },
  perPacketMachine: { group: 'Cost', title: 'machine', unit: 's/M packets' },
  homeMemory: { group: 'Cost', title: 'home resident', unit: 'MB' },
  portalMemory: { group: 'Cost', title: 'portal resident', unit: 'MB' },
} as const;
export type Measure = keyof typeof measures;
/** One round of one subject; what was not measured in it is not there. */
export type Sample = Readonly<Partial<Record<Measure, number>>>;

export interface Effort {
  /** Of one TCP run in one direction. */
  readonly tcpSeconds: number;
  /** The same of four streams together; 0: not measured. */
  readonly fourStreamSeconds: number;
  readonly pings: number;
  readonly search: SearchEffort;
  readonly largePackets: boolean;
}

/** Where the first search for a packet rate begins: most subjects are within a factor of two. */
const firstHint: Hint = { perSecond: 100_000, factor: 1.5 };
/** Large packets, and a WAN that cuts, cost a little more than what has been measured. */
const little = 1.15;
const pingIntervalMs = 4;

/** One round of everything between pc and corp of a world. `last` is the round before, where searches begin. */
export async function measure(world: World, effort: Effort, last: Sample = {}): Promise<Sample> {
  const idle = await world.pc.ping(world.addresses.corp.v4, { count: effort.pings, interval: pingIntervalMs });
  const whole = await tcpBothWays(world, effort.tcpSeconds, 1);
  const four = effort.fourStreamSeconds > 0 ? await tcpBothWays(world, effort.fourStreamSeconds, 4) : undefined;
  const loaded = await pingUnderUpload(world, effort);
  const small = await losslessRate(world, 64, effort.search, near(last.udp64));
  const large = effort.largePackets
    ? await losslessRate(world, 1200, effort.search, near(last.udp1200 ?? small.perSecond / 1e3))
    : undefined;
  const resident = { home: await residentOctets(world.moat), portal: await residentOctets(world.portal) };
  const cut = await overCuttingWan(world, effort, last.cutUdp64 ?? small.perSecond / 1e3);
  return {
    tcp1Up: gigabits(whole.up),
    tcp1Down: gigabits(whole.down),
    ...(four && { tcp4Up: gigabits(four.up), tcp4Down: gigabits(four.down) }),
    ...cut,
    udp64: small.perSecond / 1e3,
    ...(large && { udp1200: large.perSecond / 1e3 }),
    rttIdleP50: idle.median * 1e3,
    rttIdleP99: idle.p99 * 1e3,
    rttLoadP50: loaded.median * 1e3,
    rttLoadP99: loaded.p99 * 1e3,
    gateways: perGigabyte(whole, 'gateways'),
    softirq: perGigabyte(whole, 'softirq'),
    machine: perGigabyte(whole, 'machine'),
    ...(small.packets > 0 && {
      perPacket: perMillion(small, 'gateways'),
      perPacketMachine: perMillion(small, 'machine'),
    }),
    homeMemory: resident.home / 1e6,
    portalMemory: resident.portal / 1e6,
  };
}

async function overCuttingWan(world: World, effort: Effort, hint: number): Promise<Sample> {
  const wan = new Wan(world);
  await wan.cut();
  try {
    const both = await tcpBothWays(world, effort.tcpSeconds, 1);
    const small = await losslessRate(world, 64, effort.search, near(hint));
    return {
      cutTcp1Up: gigabits(both.up),
      cutTcp1Down: gigabits(both.down),
      cutGateways: perGigabyte(both, 'gateways'),
      cutUdp64: small.perSecond / 1e3,
    };
  } finally {
    await wan.whole();
  }
}

interface BothWays {
  readonly up: TcpResult;
  readonly down: TcpResult;
}

async function tcpBothWays(world: World, seconds: number, streams: number): Promise<BothWays> {
  const up = await bulkTcp(world, { streams, seconds, direction: 'up' });
  return { up, down: await bulkTcp(world, { streams, seconds, direction: 'down' }) };
}

/** Pings once the upload has filled what there is to fill. */
async function pingUnderUpload(world: World, effort: Effort): Promise<{ median: number; p99: number }> {
  const settleMs = 300;
  const count = Math.floor((effort.tcpSeconds * 1000 - settleMs) / pingIntervalMs);
  const upload = bulkTcp(world, { streams: 1, seconds: effort.tcpSeconds + 1, direction: 'up' });
  await sleep(settleMs);
  const ping = await world.pc.ping(world.addresses.corp.v4, { count, interval: pingIntervalMs });
  await upload;
  return ping;
}

/** A little below what worked before (thousands a second), so that the first attempt succeeds. */
const near = (before: number | undefined): Hint =>
  before ? { perSecond: (before * 1e3) / little ** 0.5, factor: little } : firstHint;
const gigabits = ({ bitsPerSecond }: TcpResult) => bitsPerSecond / 1e9;
const perGigabyte = ({ up, down }: BothWays, what: keyof CpuTime) =>
  (up.cpu[what] + down.cpu[what]) / ((up.octets + down.octets) / 1e9);
const perMillion = ({ cpu, packets }: PacketRate, what: keyof CpuTime) => cpu[what] / (packets / 1e6);
