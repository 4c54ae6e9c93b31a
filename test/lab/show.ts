/**
 * The tour: the world is built before the reader's eyes, moat and portal find each other, a PC reads a page of the
 * corporation, and a live table goes on until Ctrl-C.
 */
import type { Path } from '../../appliance/lib/net.ts';
import type { PeerStatus } from '../../appliance/tunnel/status.ts';
import { formatMs, formatRate, formatShare, type PingResult } from './measures.ts';
import type { Moat } from './moat.ts';
import { startMoats } from './moat-pair.ts';
import { sleep } from './processes.ts';
import { type Sample, sampleOf, throughput } from './sample.ts';
import { World, type WorldOptions } from './world.ts';

export interface ShowOptions {
  readonly nat: boolean;
  /** A slow fetch that never ends, so that there is something to see. */
  readonly traffic: boolean;
}

const refreshMs = 1000;
const say = (text = '') => console.log(text);

export async function show(options: ShowOptions): Promise<void> {
  const world = await build({ nat: options.nat });
  const { home, portal } = await startTunnel(world);
  await fetchPages(world);
  if (options.traffic) startTraffic(world);
  say();
  say(`Live until Ctrl-C, which removes everything. In another terminal:  npm run lab -- exec pc ping corp`);
  say();
  await live(world, { home, portal });
}

async function build(options: WorldOptions): Promise<World> {
  say('1  The world: network namespaces, a kernel network stack each, joined by virtual cables.');
  say();
  const router = options.nat ? ' --- home-router' : '';
  say(`      pc --- moat${router} --- (( internet )) --- portal --- corp`);
  say();
  const began = performance.now();
  const world = await World.up({ ...options, name: 'show' });
  const { pc, corp } = world.addresses;
  say(`   Up after ${formatMs(performance.now() - began)}. The PC is ${pc.v4} and ${pc.v6}; the company's server`);
  say(`   is ${corp.v4} and ${corp.v6}. The internet between them knows neither network.`);
  say(`   Logs: ${world.runDirectory}`);
  const before = await world.pc.ping(corp.v4, { count: 1, wait: 500 });
  say(
    `   pc pings corp: ${before.received === 0 ? 'no answer, as there is no tunnel yet.' : 'an answer without a tunnel!'}`,
  );
  return world;
}

async function startTunnel(world: World): Promise<{ home: Moat; portal: Moat }> {
  say();
  say('2  The tunnel: moat calls the portal (IKEv2); each proves its pinned Ed25519 key.');
  const began = performance.now();
  const ends = await startMoats(world);
  const peer = await ends.home.peer();
  const { ike } = peer;
  const child = ike?.children[0];
  say(`   Up after ${formatMs(performance.now() - began)}, both programs started from nothing.`);
  if (!ike || !child) return ends;
  say(
    `   IKE   ${ike.cipher}, ${ike.prf}, ${ike.keyExchange}; ${pathText(ike.path)}${ike.natLocal ? ', through a NAT' : ''}`,
  );
  say(
    `   ESP   ${child.cipher}${child.esn ? ', 64-bit sequence numbers' : ''}, ${child.mode} mode in ${child.encapsulation === 'udp' ? 'UDP' : 'IP'}, SPIs ${child.spiIn} and ${child.spiOut}`,
  );
  return ends;
}

const pathText = ({ local, remote }: Path) => `${local.address}:${local.port} to ${remote.address}:${remote.port}`;

async function fetchPages(world: World): Promise<void> {
  const { pc, addresses } = world;
  say();
  say('3  The PC at work, with nothing installed on it.');
  const page = await pc.page('http://corp/');
  say(`   GET http://corp/   ${page.replace(/<[^>]+>/g, ' ').trim()}`);
  for (const target of [addresses.corp.v4, addresses.corp.v6]) {
    const { bitsPerSecond } = await pc.fetch(target, { octets: 100e6 });
    say(`   100 MB from ${target}, byte for byte: ${formatRate(bitsPerSecond)}`);
  }
}

/** 20 Mbit/s of HTTP, so that the live table has something to count. */
function startTraffic(world: World): void {
  const url = 'http://corp/bytes/100000000?seed=show';
  world.pc.start('traffic', [
    'sh',
    '-c',
    `while :; do curl -s --limit-rate 2500k -o /dev/null '${url}' || sleep 1; done`,
  ]);
}

async function live(world: World, ends: { home: Moat; portal: Moat }): Promise<never> {
  let before = sampleOf(await ends.home.peer(), performance.now());
  const interactive = process.stdout.isTTY;
  for (let round = 0; ; round += 1) {
    const [ping] = await Promise.all([world.pc.ping(world.addresses.corp.v4, { count: 5 }), sleep(refreshMs)]);
    const peer = await ends.home.peer();
    const after = sampleOf(peer, performance.now());
    if (!interactive) say(liveRow(before, after, ping, peer));
    else {
      if (round > 0) process.stdout.write('\x1b[2A\x1b[J');
      say('   state      in             out            round trip   loss      child rekey   IKE rekey   rekeys');
      say(`   ${liveRow(before, after, ping, peer)}`);
    }
    before = after;
  }
}

function liveRow(before: Sample, after: Sample, ping: PingResult, peer: PeerStatus): string {
  const { ike } = peer;
  const child = ike?.children[0];
  const rate = throughput(before, after);
  const seconds = (value: number | undefined) => (value === undefined ? '-' : `${Math.round(value)} s`);
  const cells: [string, number][] = [
    [peer.state, 10],
    [formatRate(rate.in), 14],
    [formatRate(rate.out), 14],
    [ping.received === 0 ? 'no answer' : formatMs(ping.median), 12],
    [formatShare(rate.loss), 9],
    [seconds(child?.rekeyInSeconds), 13],
    [seconds(ike?.rekeyInSeconds), 11],
    [`${child?.rekeys ?? 0} + ${ike?.rekeys ?? 0}`, 8],
  ];
  return cells
    .map(([text, width]) => text.padEnd(width))
    .join(' ')
    .trimEnd();
}
