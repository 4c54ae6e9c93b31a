/**
 * `npm run bench -- lan`: the LAN services beside their peers. `[--rounds N] [--json FILE]`. Exit code 1 when a bar is missed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { calmRate, type DnsFigures, measureDns, type Speed } from '../../interop/dns/load.ts';
import type { RingResult } from '../../interop/ring.ts';

/** What must be true: DNS beside dnsmasq, DHCP with every lease synced to the disk, a clock behind us, memory at rest. */
const bars = {
  ratio: 0.5,
  p99Milliseconds: 2,
  exchangesPerSecond: 300,
  apartMicroseconds: 1000,
  megabytes: 130,
} as const;

interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  readonly bar: string;
  readonly met: boolean;
}

interface Figures {
  readonly dns: DnsFigures;
  readonly dhcp: Readonly<Record<string, number>>;
  readonly ntp: Readonly<Record<string, number>>;
  readonly dnsAtRest: Readonly<Record<string, number>>;
  /** Percent of the machine's processors that others used just before: above some 20 the figures say little. */
  readonly busyPercent: number;
}

/** Steps of a ring of test/interop; their figures in one. @throws {Error} when one fails. */
async function figuresOf(ring: string, ...steps: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const script = fileURLToPath(new URL(`../../interop/${ring}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [script, '--json', ...steps], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const result = JSON.parse(said || '{"passed":false}') as RingResult;
  if (!result.passed) throw new Error(`test/interop/${ring} did not pass`);
  return Object.assign({}, ...result.steps.map((step) => step.figures));
}

function dnsRows({ load, ours, dnsmasq }: DnsFigures['loads'][number]): Row[] {
  const ratio = ours.queriesPerSecond / dnsmasq.queriesPerSecond;
  const row = (what: string, value: (speed: Speed) => string, bar: string, met: boolean): Row => {
    return { what: `DNS ${load}: ${what}`, ours: value(ours), peer: `${value(dnsmasq)} dnsmasq`, bar, met };
  };
  const { p99Milliseconds } = ours;
  return [
    row('queries/s', (speed) => speed.queriesPerSecond.toFixed(0), `${ratio.toFixed(2)} of 0.5 x`, ratio >= bars.ratio),
    row('processor, us a query', (speed) => speed.cpuMicroseconds.toFixed(1), '', true),
    row(
      `p99 at ${calmRate}/s, ms`,
      (speed) => speed.p99Milliseconds.toFixed(2),
      `below ${bars.p99Milliseconds}`,
      p99Milliseconds < bars.p99Milliseconds,
    ),
  ];
}

function rowsOf({ dns, dhcp, ntp, dnsAtRest }: Figures): Row[] {
  const { exchangesPerSecond = 0, residentMegabytes: dhcpMegabytes = Number.NaN } = dhcp;
  const { apartMicroseconds = Number.NaN } = ntp;
  const megabytes = (dnsAtRest.residentMegabytes ?? Number.NaN) + dhcpMegabytes;
  const row = (what: string, ours: string, bar: string, met: boolean): Row => ({ what, ours, peer: '', bar, met });
  return [
    ...dns.loads.flatMap(dnsRows),
    row(
      'DHCP four-way exchanges/s, synced',
      exchangesPerSecond.toFixed(0),
      `at least ${bars.exchangesPerSecond}`,
      exchangesPerSecond >= bars.exchangesPerSecond,
    ),
    row(
      'NTP: a chrony behind us from the reference, us',
      apartMicroseconds.toFixed(0),
      `below ${bars.apartMicroseconds}`,
      apartMicroseconds < bars.apartMicroseconds,
    ),
    row('DHCP and DNS at rest, MB', megabytes.toFixed(0), `below ${bars.megabytes}`, megabytes < bars.megabytes),
    row('DNS after the load, MB', dns.residentMegabytes.toFixed(0), '', true),
  ];
}

function table(rows: readonly Row[]): string {
  const widths = { what: 50, ours: 10, peer: 18, bar: 16 } as const;
  const line = (what: string, ours: string, peer: string, bar: string) =>
    what.padEnd(widths.what) + ours.padStart(widths.ours) + peer.padStart(widths.peer) + bar.padStart(widths.bar);
  const body = rows.map(({ what, ours, peer, bar, met }) => `${line(what, ours, peer, bar)}${met ? '' : '  MISSED'}`);
  return [line('', 'ours', 'peer', 'bar'), ...body].join('\n');
}

/** Percent of all processors that were not idle during a second. */
async function busyPercent(): Promise<number> {
  const read = () => {
    const [, ...ticks] = (readFileSync('/proc/stat', 'latin1').split('\n')[0] ?? '').split(/\s+/).map(Number);
    return { all: ticks.reduce((sum, each) => sum + each, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
  };
  const before = read();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = read();
  return 100 * (1 - (after.idle - before.idle) / Math.max(1, after.all - before.all));
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'string' } } });
const busy = await busyPercent();
const figures: Figures = {
  busyPercent: busy,
  dns: await measureDns(Number(values.rounds)),
  dhcp: await figuresOf('dhcp', 'memory', 'perfdhcp'),
  ntp: await figuresOf('ntp', 'client-agrees'),
  dnsAtRest: await figuresOf('dns', 'memory'),
};
const rows = rowsOf(figures);
console.log(table(rows));
if (busy > 20)
  console.log(`the machine was busy with other things (${busy.toFixed(0)} % before the start): expect worse figures`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
if (rows.some(({ met }) => !met)) process.exitCode = 1;
