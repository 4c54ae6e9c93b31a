/** What happens to the way between the ends, and to the ends themselves. */
import { readFileSync } from 'node:fs';
import { sleep } from '../../lab/processes.ts';
import { expect } from '../../lab/story.ts';
import { addLoopback, type Bench, type Setup } from './bench.ts';
import type { Case, Version } from './cases.ts';
import { bestRow, renew } from './life.ts';
import { describe, settled, type View } from './views.ts';

const moves: Setup = { name: 'moves', rows: [{ name: 'moves' }] };

/** Who called moves: its old address goes, another comes `gapMs` later, the default route with it. */
async function readdress(bench: Bench, last: number, gapMs: number): Promise<string> {
  const fresh = `203.0.113.${last}`;
  const { stdout } = await bench.lab.moat.run(['ip', '-4', '-j', 'address', 'show', 'dev', 'wan']);
  const [link] = JSON.parse(stdout) as { addr_info: { local: string }[] }[];
  await bench.lab.moat.ip(...(link?.addr_info ?? []).map(({ local }) => `address del ${local}/24 dev wan`));
  await sleep(gapMs);
  await bench.lab.moat.ip(
    `address add ${fresh}/24 dev wan`,
    `route replace default via ${bench.lab.addresses.internetHome.v4}`,
  );
  return fresh;
}

/** Milliseconds: what comes while the end that moves is still looking at what went must be noticed, too. */
const gaps = [0, 10, 20, 30, 40, 60];

export const moveCases: readonly Case[] = gaps.map((gapMs, i) => ({
  name: `mobike-move-${i + 1}`,
  setup: moves,
  play: async (bench: Bench) => {
    const before = await settled(bench, 'moves');
    const began = performance.now();
    const fresh = await readdress(bench, 50 + i, gapMs);
    const arrived = ({ theirs, ours }: View) =>
      bench.role === 'called'
        ? theirs.remoteAddress === fresh && ours.path.local.address === fresh
        : theirs.localAddress === fresh && ours.path.remote.address === fresh;
    const after = await settled(bench, 'moves', arrived);
    const took = performance.now() - began;
    expect(after.theirs.initiatorSpi === before.theirs.initiatorSpi, 'the same IKE SA', [before.theirs, after.theirs]);
    await bench.ping(1);
    await renew(bench, 'moves', 'child', ['moat']);
    return `at ${fresh} after ${took.toFixed(0)} ms, ${describe(await settled(bench, 'moves'))}`;
  },
}));

/** Both notice within seconds; strongSwan gives up after 1 + 1.8 + 3.2 + 5.8 + 10.5 s. */
const restarts: Setup = {
  name: 'restarts',
  rows: [
    {
      name: 'restarts',
      moat: { livenessSeconds: 2 },
      swan: { lines: ['dpd_delay = 2s'], childLines: ['dpd_action = restart', 'close_action = start'] },
    },
  ],
};
const restartMs = 90_000;

async function afterRestart(bench: Bench, restart: () => Promise<void>): Promise<string> {
  const before = await settled(bench, 'restarts');
  await restart();
  const began = performance.now();
  const after = await settled(
    bench,
    'restarts',
    ({ theirs }) => theirs.initiatorSpi !== before.theirs.initiatorSpi,
    restartMs,
  );
  const seconds = (performance.now() - began) / 1000;
  await bench.ping(1);
  return `a new IKE SA and only that after ${seconds.toFixed(1)} s, ${describe(after)}`;
}

export const restartCases: readonly Case[] = [
  {
    name: 'restart-moat',
    setup: restarts,
    play: (bench) =>
      afterRestart(bench, async () => {
        bench.moat.process.child.kill('SIGKILL');
        await bench.moat.process.exited;
        await bench.startMoat();
      }),
  },
  {
    name: 'restart-swan',
    setup: restarts,
    play: (bench) =>
      afterRestart(bench, async () => {
        await bench.swan.kill();
        await bench.startSwan();
        if (bench.role === 'calls') await bench.connect();
      }),
  },
];

/** So many networks that IKE_AUTH is larger than the path, in both directions. */
const manyNetworks = Array.from({ length: 40 }, (_, i) => `10.92.${i}.0/24`);

/** A path of 576 octets that eats IP fragments and every ICMP: only IKE's own fragments (RFC 7383) come through. */
export function fragmentCases(version: Version): Case[] {
  const best = bestRow(version, 'narrow');
  const setup: Setup = {
    name: 'narrow',
    rows: [
      {
        ...best,
        moat: { networks: ['10.91.1.0/24', ...manyNetworks] },
        swan: { ...best.swan, localNetworks: ['10.91.1.0/24', ...manyNetworks] },
      },
    ],
    daemon: { lines: ['fragment_size = 540'] },
    prepare: async ({ lab, swanHost }) => {
      await addLoopback(
        swanHost,
        manyNetworks.map((network) => network.replace('.0/24', '.1')),
      );
      await lab.internet.impair({ mtu: 576, fragments: 'eaten', icmp: 'eaten' });
      return undefined;
    },
  };
  const play = async (bench: Bench) => {
    await bench.ping(1);
    await renew(bench, 'narrow', 'ike', ['moat']);
    const seen = await renew(bench, 'narrow', 'child', ['swan']);
    const log = readFileSync(bench.swan.process.log, 'utf8');
    const received = log.match(/received fragment #/g)?.length ?? 0;
    const sent = log.match(/splitting IKE message/g)?.length ?? 0;
    expect(received >= 2 && sent >= 1, 'strongSwan received and sent fragments', { received, sent });
    const { up, down } = await bench.lab.internet.counts();
    for (const { fragmentEaten = 0, tooBig = 0, fragmented = 0 } of [up, down]) {
      expect(fragmentEaten + tooBig + fragmented === 0, 'no packet too large for the path, no IP fragment', [up, down]);
    }
    return `it received ${received} fragments of IKE, split ${sent} messages, ${describe(seen)}`;
  };
  return [{ name: 'fragments-at-576', setup, play }];
}
