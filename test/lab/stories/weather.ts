import type { Impairment } from '../internet.ts';
import { formatMs, formatRate } from '../measures.ts';
import { startMoats } from '../moat-pair.ts';
import { expect, type Story } from '../story.ts';

const days: readonly { name: string; impairment: Impairment }[] = [
  {
    name: 'mobile network',
    impairment: { delayMs: 40, jitterMs: 20, lossPercent: 1, rateMbit: 20, queueMs: 200, seed: 1 },
  },
  { name: 'long way', impairment: { delayMs: 150, lossPercent: 0.1, seed: 2 } },
  { name: 'bursts of loss', impairment: { delayMs: 10, lossPercent: 2, lossBurst: 3, seed: 3 } },
  {
    name: 'everything out of order',
    impairment: { delayMs: 10, reorderPercent: 20, reorderMs: 5, duplicatePercent: 5, corruptPercent: 0.5, seed: 4 },
  },
  { name: 'a quarter lost', impairment: { delayMs: 10, lossPercent: 25, seed: 5 } },
];

/** The tunnel comes up, carries and changes its keys on bad days. */
export const story: Story = {
  name: 'weather',
  summary: 'the tunnel comes up, carries and changes keys over slow, long, lossy and disorderly paths',
  async run({ world, step }) {
    for (const { name, impairment } of days) {
      const lab = await world({ nat: true });
      await lab.internet.impair(impairment);
      await step(`${name}: the tunnel comes up and a file passes, byte for byte`, async () => {
        const began = performance.now();
        const { home } = await startMoats(lab);
        const up = performance.now() - began;
        const octets = name === 'a quarter lost' ? 20_000 : 500_000;
        const { bitsPerSecond } = await lab.pc.fetch(lab.addresses.corp.v4, { octets, seconds: 120 });
        await home.rekey('child');
        await home.rekey('ike');
        await home.until('rekeyed', ({ tunnel }) => (tunnel?.peers[0]?.ike?.rekeys ?? 0) > 0, 40_000);
        const { received } = await lab.pc.ping(lab.addresses.corp.v6, { count: 40, interval: 50, wait: 2000 });
        expect(received > 10, 'answers after the rekey', received);
        return `up after ${formatMs(up)}, ${formatRate(bitsPerSecond)}, ${received} of 40 pings`;
      });
      await lab.down();
    }
  },
};
