import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { root } from '../roots.ts';
import { Box } from './box.ts';
import { startPrimary, zoneName } from './primaries.ts';
import { lanPeers } from './recipe.ts';
import { boxConfig } from './steps.ts';
import { addresses, until, World } from './world.ts';

/**
 * dnsperf against us and dnsmasq, in turn, in one world: the same questions, the same resolver behind both. The
 * client shares two cores with the server, for both alike.
 */

const seconds = 3;
const loads: Record<string, string[]> = {
  cached: Array.from({ length: 500 }, (_, i) => `name-${i}.public.example A`),
  authoritative: Array.from({ length: 2400 }, (_, i) => `host-${i}.site-${i % 17}.${zoneName('bind')} A`),
  lan: Array.from({ length: 200 }, (_, i) => `device-${i}.home.arpa A`),
};

export const calmRate = 5000;

/** The latency in milliseconds that 99 of 100 queries stay below at a calm rate. */
async function tail(world: World, server: string, load: string): Promise<number> {
  const file = `${world.inside}/${load}.questions`;
  const options = ['-l', String(seconds), '-c', '4', '-v', '-Q', String(calmRate)];
  const text = await world.must('pc', ['dnsperf', '-s', server, '-d', file, ...options]);
  // -v prints a line for each answer, with its latency in seconds at the end.
  const latencies = [...text.matchAll(/^> \w+ \S+ \S+ ([\d.]+)$/gm)].map(([, took]) => Number(took) * 1000);
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
}

async function maximum(world: World, server: string, load: string): Promise<number> {
  const file = `${world.inside}/${load}.questions`;
  const text = await world.must('pc', [
    'dnsperf',
    '-s',
    server,
    '-d',
    file,
    '-l',
    String(seconds),
    '-c',
    '4',
    '-q',
    '100',
  ]);
  return Number(/Queries per second:\s+([\d.]+)/.exec(text)?.[1]);
}

/** The best of all rounds: the machine has other work, which troubles some of them. */
export interface Speed {
  readonly queriesPerSecond: number;
  /** Microseconds of processor time for a query: says the same on a busy machine. */
  readonly cpuMicroseconds: number;
  /** 99 of 100 answers at `calmRate` queries a second come within so many milliseconds. */
  readonly p99Milliseconds: number;
}

const unmeasured: Speed = {
  queriesPerSecond: 0,
  cpuMicroseconds: Number.POSITIVE_INFINITY,
  p99Milliseconds: Number.POSITIVE_INFINITY,
};

interface Server {
  readonly address: string;
  readonly process: ChildProcess;
}

async function measure(world: World, { address, process }: Server, load: string, best: Speed): Promise<Speed> {
  const before = cpuSeconds(process);
  const queriesPerSecond = await maximum(world, address, load);
  const cpuMicroseconds = ((cpuSeconds(process) - before) * 1e6) / (queriesPerSecond * seconds);
  const p99Milliseconds = await tail(world, address, load);
  return {
    queriesPerSecond: Math.max(best.queriesPerSecond, queriesPerSecond),
    cpuMicroseconds: Math.min(best.cpuMicroseconds, cpuMicroseconds),
    p99Milliseconds: Math.min(best.p99Milliseconds, p99Milliseconds),
  };
}

/** User and system time so far; the clock ticks are those of every Linux (100 a second). */
function cpuSeconds({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function startDnsmasq(world: World): ChildProcess {
  const host = (name: string, i: number) => `${name} 10.3.${(i >> 8) & 255}.${i & 255}`;
  const lines = [...(loads.authoritative ?? []), ...(loads.lan ?? [])].map((line, i) =>
    host(line.split(' ')[0] ?? '', i),
  );
  writeFileSync(`${world.folder}/hosts`, lines.map((line) => `${line.split(' ').reverse().join(' ')}\n`).join(''));
  const options = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--user=root',
    `--listen-address=${addresses.dnsmasq}`,
    '--bind-interfaces',
    '--no-resolv',
    '--no-hosts',
    `--addn-hosts=${world.inside}/hosts`,
    `--server=${addresses.bind}`,
    '--cache-size=10000',
    '--pid-file=',
  ];
  return world.start('home', ['/usr/sbin/dnsmasq', ...options]);
}

/** Ours and dnsmasq in one world, before they are asked anything. */
async function startServers(world: World): Promise<{ box: Box; dnsmasq: ChildProcess }> {
  for (const [load, lines] of Object.entries(loads)) {
    writeFileSync(`${world.folder}/${load}.questions`, lines.map((line) => `${line}\n`).join(''));
  }
  startPrimary(world, 'bind', 1);
  const dnsmasq = startDnsmasq(world);
  const config = boxConfig(world);
  const box = await Box.start(world, {
    ...config,
    zones: config.zones?.slice(0, 1) ?? [],
    hosts: (loads.lan ?? []).map((line, i) => ({
      name: line.split('.')[0] ?? '',
      addresses: [`192.168.77.${(i % 250) + 1}`],
    })),
    rateLimit: { perSecond: 1_000_000, burst: 1_000_000 },
  });
  await until('the zone', async () => (await box.status()).zones[0]?.state === 'current');
  return { box, dnsmasq };
}

export interface DnsFigures {
  readonly loads: readonly { readonly load: string; readonly ours: Speed; readonly dnsmasq: Speed }[];
  /** Of our process, after the load. */
  readonly residentMegabytes: number;
}

/** Measures every load `rounds` times, ours and dnsmasq in turn. */
export async function measureDns(rounds: number): Promise<DnsFigures> {
  const world = await World.create(await root(lanPeers), 'dnsload');
  try {
    const { box, dnsmasq } = await startServers(world);
    const ours = { address: addresses.box, process: box.process };
    const theirs = { address: addresses.dnsmasq, process: dnsmasq };
    const figures = Object.keys(loads).map((load) => ({ load, ours: unmeasured, dnsmasq: unmeasured }));
    for (const { load } of figures) for (const { address } of [ours, theirs]) await maximum(world, address, load);
    for (let round = 0; round < rounds; round += 1) {
      for (const figure of figures) {
        figure.ours = await measure(world, ours, figure.load, figure.ours);
        figure.dnsmasq = await measure(world, theirs, figure.load, figure.dnsmasq);
      }
    }
    return { loads: figures, residentMegabytes: box.memory.resident / 1e6 };
  } finally {
    await world.destroy();
  }
}
