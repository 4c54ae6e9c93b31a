import { formatMs } from '../measures.ts';
import { startMoats, type Wishes } from '../moat-pair.ts';
import { expect, type Stage, type Story } from '../story.ts';
import { addresses, type ServerKind, serverKinds } from '../topology.ts';
import type { World } from '../world.ts';

/** The moat paper's table. The `servers` story is the same without any moat. */
export const story: Story = {
  name: 'mtu-servers',
  summary:
    "a page from each of the paper's three kinds of servers, ICMP eaten: with the virtual MTU all, without it not",
  async run(stage) {
    await table(stage, 'with the virtual MTU', {}, serverKinds);
    const off: Wishes = { peer: { aggfrag: false, clampMss: false } };
    await table(stage, 'virtual MTU and clamp off', off, ['well-behaved']);
  },
};

async function table(
  { world, step }: Stage,
  title: string,
  wishes: Wishes,
  passing: readonly ServerKind[],
): Promise<void> {
  const lab = await world({ nat: true, servers: true });
  await lab.internet.impair({ mtu: 1400, icmp: 'eaten', fragments: 'eaten' });
  await startMoats(lab, { home: wishes, portal: wishes });
  for (const kind of serverKinds) {
    const passes = passing.includes(kind);
    await step(`${title}: a page of the ${kind} server ${passes ? 'comes' : 'does not come'}`, async () => {
      const { v4, v6 } = addresses[kind];
      const times = await Promise.all([v4, v6].map((target) => page(lab, target, passes ? 40 : 8)));
      for (const time of times) expect((time !== null) === passes, passes ? 'a page' : 'none', times);
      return passes ? times.map((time) => formatMs(time ?? 0)).join(' and ') : undefined;
    });
  }
}

/** Milliseconds until 100 kB came, or null when they did not within `seconds`. */
async function page({ pc }: World, target: string, seconds: number): Promise<number | null> {
  const began = performance.now();
  try {
    await pc.fetch(target, { octets: 100_000, seconds });
    return performance.now() - began;
  } catch {
    return null;
  }
}
