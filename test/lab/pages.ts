import type { Host } from './host.ts';
import { formatMs } from './measures.ts';
import { expect, type Step } from './story.ts';
import { addresses, type ServerKind, serverKinds } from './topology.ts';
import type { World } from './world.ts';

/** A row of the moat paper's table: a page from each kind of server over both families; only those of `passing` may bring it. */
export async function pagesOfServers(
  step: Step,
  lab: World,
  title: string,
  passing: readonly ServerKind[],
): Promise<void> {
  for (const kind of serverKinds) {
    const passes = passing.includes(kind);
    await step(`${title}: a page of the ${kind} server ${passes ? 'comes' : 'does not come'}`, async () => {
      // What was learnt about the path before is not to help now.
      await lab.host(kind).must(['sh', '-c', 'ip route flush cache; ip -6 route flush cache']);
      const { v4, v6 } = addresses[kind];
      const times = await Promise.all([v4, v6].map((target) => page(lab.pc, target, passes ? 40 : 8)));
      for (const time of times) expect((time !== null) === passes, passes ? 'a page' : 'none', times);
      return passes ? times.map((time) => formatMs(time ?? 0)).join(' and ') : undefined;
    });
  }
}

/** Milliseconds until 100 kB came, or null when they did not within `seconds`. */
async function page(pc: Host, target: string, seconds: number): Promise<number | null> {
  const began = performance.now();
  try {
    await pc.fetch(target, { octets: 100_000, seconds });
    return performance.now() - began;
  } catch {
    return null;
  }
}
