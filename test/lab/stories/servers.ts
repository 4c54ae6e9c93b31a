import type { Impairment } from '../internet.ts';
import { formatMs } from '../measures.ts';
import { expect, type Stage, type Story } from '../story.ts';
import { addresses, type ServerKind, serverKinds } from '../topology.ts';
import type { World } from '../world.ts';

const path = 1400;

/** The table of the moat paper without any moat: who fails here has to be saved by the tunnel of the mtu story. */
export const story: Story = {
  name: 'servers',
  summary: "the paper's three kinds of servers on a path smaller than they think, without moat: the lab is honest",
  async run({ world, step }) {
    const lab = await world({ plainPath: true, servers: true });
    await table({ world, step }, lab, { mtu: path }, ['well-behaved', 'naughty']);
    await table({ world, step }, lab, { mtu: path, icmp: 'eaten' }, ['well-behaved']);
  },
};

/** Both families: which kinds bring a page home. */
async function table(
  { step }: Stage,
  lab: World,
  impairment: Impairment,
  passing: readonly ServerKind[],
): Promise<void> {
  await lab.internet.impair(impairment);
  const icmp = impairment.icmp === 'eaten' ? 'ICMP eaten' : 'ICMP passing';
  for (const kind of serverKinds) {
    const passes = passing.includes(kind);
    await step(
      `path of ${path}, ${icmp}: a page of the ${kind} server ${passes ? 'comes' : 'does not come'}`,
      async () => {
        // What was learnt about the path before is not to help now.
        await lab.host(kind).must(['sh', '-c', 'ip route flush cache; ip -6 route flush cache']);
        const times = await Promise.all(
          [addresses[kind].v4, addresses[kind].v6].map((target) => page(lab, target, passes ? 40 : 8)),
        );
        for (const time of times) expect((time !== null) === passes, passes ? 'a page' : 'none', times);
        return passes ? times.map((time) => formatMs(time ?? 0)).join(' and ') : undefined;
      },
    );
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
