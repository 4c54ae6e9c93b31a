import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
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
/** Both servers are measured so often, in turn, and the best of each counts: the machine has other work. */
const rounds = 2;
const loads: Record<string, string[]> = {
  cached: Array.from({ length: 500 }, (_, i) => `name-${i}.public.example A`),
  authoritative: Array.from({ length: 2400 }, (_, i) => `host-${i}.site-${i % 17}.${zoneName('bind')} A`),
  lan: Array.from({ length: 200 }, (_, i) => `device-${i}.home.arpa A`),
};

const calmRate = 5000;

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

interface Measured {
  readonly most: number;
  /** Microseconds of processor time for a query: says the same on a busy machine. */
  readonly cpu: number;
  readonly p99: number;
}

async function measure(world: World, server: string, load: string, process: ChildProcess): Promise<Measured> {
  let best: Measured = { most: 0, cpu: Number.POSITIVE_INFINITY, p99: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round += 1) {
    const before = cpuSeconds(process);
    const most = await maximum(world, server, load);
    const cpu = ((cpuSeconds(process) - before) * 1e6) / (most * seconds);
    const p99 = await tail(world, server, load);
    best = { most: Math.max(best.most, most), cpu: Math.min(best.cpu, cpu), p99: Math.min(best.p99, p99) };
  }
  return best;
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

async function play(world: World): Promise<void> {
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
  for (const server of [addresses.box, addresses.dnsmasq])
    for (const load of Object.keys(loads)) await maximum(world, server, load);
  // With more at work than there are processors, it is the scheduler that is measured.
  const busy = (loadavg()[0] ?? 0) > availableParallelism() * 1.5;
  if (busy) console.log(`not judged: the machine is busy (load ${loadavg()[0]?.toFixed(1)})`);
  console.log(
    'load            q/s: ours  dnsmasq  ratio   us CPU a query: ours  dnsmasq   p99 ms at 5000/s: ours  dnsmasq',
  );
  for (const load of Object.keys(loads)) {
    const ours = await measure(world, addresses.box, load, box.process);
    const theirs = await measure(world, addresses.dnsmasq, load, dnsmasq);
    const columns = [
      [ours.most.toFixed(0), 9],
      [theirs.most.toFixed(0), 8],
      [(ours.most / theirs.most).toFixed(2), 6],
      [ours.cpu.toFixed(1), 22],
      [theirs.cpu.toFixed(1), 8],
      [ours.p99.toFixed(2), 25],
      [theirs.p99.toFixed(2), 8],
    ] as const;
    console.log(load.padEnd(16) + columns.map(([text, width]) => text.padStart(width)).join(' '));
    if (busy) continue;
    assert.ok(ours.most / theirs.most >= 0.5, `${load}: at least half of dnsmasq`);
    assert.ok(ours.p99 < 2, `${load}: p99 below 2 ms at 5000 queries/s`);
  }
  console.log(`resident ${(box.memory.resident / 1e6).toFixed(1)} MB after the load`);
}

const world = await World.create(await root(lanPeers), 'dnsload');
try {
  await play(world);
} catch (error) {
  console.error(`FAIL  ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
} finally {
  await world.destroy();
}
