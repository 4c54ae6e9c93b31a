import { Flow } from '../flow.ts';
import { formatMs } from '../measures.ts';
import { startMoats } from '../moat-pair.ts';
import { pathStatus, searched } from '../path-mtu.ts';
import { sleep } from '../processes.ts';
import { expect, type Story } from '../story.ts';

const [wide, narrow] = [1500, 1300];

export const story: Story = {
  name: 'mtu-change',
  summary: 'the path shrinks from 1500 to 1300 octets under load and grows again, ICMP eaten',
  async run({ world, step }) {
    const lab = await world({ nat: true });
    const eaten = { icmp: 'eaten', fragments: 'eaten' } as const;
    await lab.internet.impair({ mtu: wide, ...eaten });
    const { home, portal } = await startMoats(lab);
    await step('both ends know the wide path', async () => {
      const found = await searched([home, portal]);
      expect(
        found.every(({ pathMtu }) => pathMtu === wide),
        `${wide}`,
        found,
      );
      return undefined;
    });
    const flow = { octets: 1500, rateMbit: 20, seconds: 120, dontFragment: true };
    const up = await Flow.start(lab.pc, lab.corp, { ...flow, target: lab.addresses.corp.v4, port: 5200 });
    const down = await Flow.start(lab.corp, lab.pc, { ...flow, target: lab.addresses.pc.v6, port: 5201 });
    await sleep(2000);
    await lab.internet.impair({ mtu: narrow, ...eaten });
    await sleep(6000);
    let grown = Number.POSITIVE_INFINITY;
    await lab.internet.impair({ mtu: wide, ...eaten });
    const began = performance.now();
    while (grown > 60_000 && performance.now() - began < 62_000) {
      const found = await Promise.all([pathStatus(home), pathStatus(portal)]);
      if (found.every(({ pathMtu }) => pathMtu === wide)) grown = performance.now() - began;
      await sleep(200);
    }
    for (const running of [up, down]) running.end();
    const results = [await up.finish(), await down.finish()];
    await step('at the drop traffic stops for less than a second, each way', async () => {
      for (const result of results)
        expect(result.longestGapMs < 1000 && result.received > 10_000, 'less than a second', result);
      return results.map(({ longestGapMs, lost }) => `${formatMs(longestGapMs)} (${lost} lost)`).join(' and ');
    });
    await step('after the rise the larger size is used within a minute', async () => {
      expect(grown < 60_000, 'less than 60 s', formatMs(grown));
      return formatMs(grown);
    });
    await step('nothing came twice or corrupted', async () => {
      for (const { duplicates, corrupted } of results) expect(duplicates + corrupted === 0, 'none', results);
      return undefined;
    });
  },
};
