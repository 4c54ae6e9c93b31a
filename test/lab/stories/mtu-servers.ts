import { startMoats, type Wishes } from '../moat-pair.ts';
import { pagesOfServers } from '../pages.ts';
import type { Stage, Story } from '../story.ts';
import { type ServerKind, serverKinds } from '../topology.ts';

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
  await pagesOfServers(step, lab, title, passing);
}
