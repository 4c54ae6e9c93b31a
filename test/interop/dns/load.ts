import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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
interface Measured {
  readonly perSecond: number;
  readonly lost: number;
  readonly p99Milliseconds: number;
}

const seconds = 4;
const loads: Record<string, string[]> = {
  cached: Array.from({ length: 500 }, (_, i) => `name-${i}.public.example A`),
  authoritative: Array.from({ length: 2400 }, (_, i) => `host-${i}.site-${i % 17}.${zoneName('bind')} A`),
  lan: Array.from({ length: 200 }, (_, i) => `device-${i}.home.arpa A`),
};

async function dnsperf(world: World, server: string, load: string, rate?: number): Promise<Measured> {
  const file = `${world.inside}/${load}.questions`;
  const limit = rate === undefined ? ['-q', '100'] : ['-Q', String(rate)];
  const command = ['dnsperf', '-s', server, '-d', file, '-l', String(seconds), '-c', '4', '-v', ...limit];
  const text = await world.must('pc', command);
  // -v prints a line for each answer, with its latency in seconds at the end.
  const latencies = [...text.matchAll(/^> \w+ \S+ \S+ ([\d.]+)$/gm)]
    .map(([, took]) => Number(took) * 1000)
    .sort((a, b) => a - b);
  return {
    perSecond: Number(/Queries per second:\s+([\d.]+)/.exec(text)?.[1]),
    lost: Number(/Queries lost:\s+(\d+)/.exec(text)?.[1]),
    p99Milliseconds: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
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
  startDnsmasq(world);
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
  console.log('load           ours q/s  dnsmasq q/s  ratio   p99 at 5000/s: ours ms  dnsmasq ms');
  for (const load of Object.keys(loads)) {
    const ours = await maximum(world, addresses.box, load);
    const theirs = await maximum(world, addresses.dnsmasq, load);
    const calm = await dnsperf(world, addresses.box, load, 5000);
    const theirCalm = await dnsperf(world, addresses.dnsmasq, load, 5000);
    const numbers = [
      ours.toFixed(0).padStart(8),
      theirs.toFixed(0).padStart(12),
      (ours / theirs).toFixed(2).padStart(6),
    ];
    console.log(
      `${load.padEnd(14)} ${numbers.join(' ')} ${calm.p99Milliseconds.toFixed(2).padStart(24)} ${theirCalm.p99Milliseconds.toFixed(2).padStart(11)}`,
    );
    assert.ok(ours / theirs >= 0.5, `${load}: at least half of dnsmasq`);
    assert.ok(calm.p99Milliseconds < 2, `${load}: p99 below 2 ms at 5000 queries/s`);
    assert.equal(calm.lost, 0);
  }
  console.log(`resident ${(box.residentOctets / 1e6).toFixed(1)} MB after the load`);
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
