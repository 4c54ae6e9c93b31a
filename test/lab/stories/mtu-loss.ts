import { runFlow } from '../flow.ts';
import type { Impairment } from '../internet.ts';
import { formatShare } from '../measures.ts';
import { startMoats } from '../moat-pair.ts';
import { searched } from '../path-mtu.ts';
import { expect, type Story } from '../story.ts';

/** An inner packet of 1500 octets that comes alone touches two envelopes on this path. */
const path = 1400;
const touched = 2;

export const story: Story = {
  name: 'mtu-loss',
  summary: 'loss and reordering cost a spanning packet no more than the envelopes that it touches',
  async run({ world, step }) {
    const lab = await world({ nat: true });
    const base: Impairment = { mtu: path, icmp: 'eaten', fragments: 'eaten', delayMs: 5 };
    await lab.internet.impair(base);
    const { home, portal } = await startMoats(lab);
    await searched([home, portal]);
    const cases: readonly { name: string; impairment: Impairment; loss: number }[] = [
      { name: '1 % loss', impairment: { lossPercent: 1 }, loss: 0.01 },
      { name: '3 % loss', impairment: { lossPercent: 3 }, loss: 0.03 },
      { name: '10 % loss', impairment: { lossPercent: 10 }, loss: 0.1 },
      { name: 'reordering by up to 8 envelopes', impairment: { reorderPercent: 5, reorderPackets: 8 }, loss: 0 },
      { name: '2 % doubled, 2 % corrupted', impairment: { duplicatePercent: 2, corruptPercent: 2 }, loss: 0.02 },
      {
        name: '3 % loss and reordering by 3 ms',
        impairment: { lossPercent: 3, reorderPercent: 5, reorderMs: 3 },
        loss: 0.03,
      },
    ];
    for (const [index, { name, impairment, loss }] of cases.entries()) {
      await step(`${name}, DF datagrams of 1500 octets`, async () => {
        await lab.internet.impair({ ...base, ...impairment, seed: 41 + index });
        const target = lab.addresses.corp.v4;
        const flow = { target, octets: 1500, rateMbit: 10, seconds: 8, dontFragment: true, port: 5300 + index };
        const result = await runFlow(lab.pc, lab.corp, flow);
        const bound = 1 - (1 - loss) ** touched;
        // Four deviations of chance on top of the ten per cent that are allowed.
        const chance = 4 * Math.sqrt((bound * (1 - bound)) / result.sent);
        const share = result.lost / result.sent;
        expect(share <= bound * 1.1 + chance, `at most ${formatShare(bound * 1.1)} (and chance)`, result);
        expect(result.duplicates + result.corrupted === 0, 'nothing twice, nothing corrupted', result);
        return `${formatShare(share)} lost, bound ${formatShare(bound)}`;
      });
    }
    await lab.internet.impair(base);
  },
};
