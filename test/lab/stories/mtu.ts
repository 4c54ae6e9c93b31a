import { formatRate } from '../measures.ts';
import { startMoats, type Wishes } from '../moat-pair.ts';
import { datagrams, envelopes, pings, searched } from '../path-mtu.ts';
import { expect, type Stage, type Story } from '../story.ts';
import type { World } from '../world.ts';

const paths = [576, 620, 1280, 1300, 1380, 1400, 1420, 1454, 1460, 1480, 1492, 1500];

/** Whatever the path and with all ICMP eaten: what the LAN can send arrives in one piece. */
export const story: Story = {
  name: 'mtu',
  summary: 'DF packets of the full LAN size over paths of 576 to 9000 octets with all ICMP and all IP fragments eaten',
  async run(stage) {
    for (const path of paths) {
      await overPath(stage, { path, lan: 1500, clampMss: true });
      await overPath(stage, { path, lan: 1500, clampMss: false });
    }
    for (const path of [1500, 9000]) await overPath(stage, { path, lan: 9000, clampMss: true });
  },
};

interface Case {
  readonly path: number;
  /** MTU of the LAN and of the tunnel. */
  readonly lan: number;
  readonly clampMss: boolean;
}

async function overPath({ world, step }: Stage, { path, lan, clampMss }: Case): Promise<void> {
  const wan = Math.max(path, 1500);
  // Without segmentation offload, so that a capture shows each envelope as it is.
  const lab = await world({ nat: true, lanMtu: lan, wanMtu: wan, offload: false });
  await lab.internet.impair({ mtu: path, icmp: 'eaten', fragments: 'eaten' });
  const wishes: Wishes = { peer: { clampMss }, tunnel: { mtu: lan } };
  const { home, portal } = await startMoats(lab, { home: wishes, portal: wishes });
  await step(
    `path ${path}, LAN ${lan}, ${clampMss ? 'clamped' : 'not clamped'}: DF pings of ${lan} octets, both ways`,
    async () => {
      const found = await searched([home, portal]);
      expect(
        found.every(({ mode }) => mode === 'aggfrag'),
        'AGGFRAG',
        found,
      );
      expect(
        found.every(({ pathMtu }) => pathMtu <= path && pathMtu > path - 32),
        `${path} found`,
        found,
      );
      await pings(lab, lan);
      return `found ${found.map(({ pathMtu }) => pathMtu).join(' and ')}`;
    },
  );
  const sides = await Promise.all([lab.internet.capture('home', '', 96), lab.internet.capture('portal', '', 96)]);
  await step('  10 MB over TCP each way, byte for byte', async () => transfers(lab));
  await step('  datagrams with DF each way: none lost', async () => {
    await datagrams(lab, lan, 10, 1);
    return undefined;
  });
  await step('  no envelope is larger than the path, none is a fragment', async () => {
    const seen = envelopes((await Promise.all(sides.map((side) => side.stop()))).flat());
    const largest = seen.reduce((most, { length }) => Math.max(most, length), 0);
    expect(
      seen.length > 1000 && !seen.some(({ isFragment }) => isFragment),
      'no fragment',
      seen.find(({ isFragment }) => isFragment),
    );
    // Probes are what may be too large: they ask, and carry nothing.
    const tooLarge = seen.filter(({ length }) => length > path).length;
    expect(tooLarge <= 40, 'a few probes at most', `${tooLarge} of ${seen.length}, the largest ${largest}`);
    return `${seen.length} envelopes, ${tooLarge} probes beyond the path`;
  });
  await lab.down();
}

async function transfers({ pc, addresses }: World): Promise<string> {
  const down = await pc.fetch(addresses.corp.v4, { octets: 10e6 });
  const up = await pc.upload(addresses.corp.v6, { octets: 10e6 });
  return `${formatRate(down.bitsPerSecond)} and ${formatRate(up.bitsPerSecond)}`;
}
