import { runFlow } from '../flow.ts';
import type { Moat } from '../moat.ts';
import { startMoats } from '../moat-pair.ts';
import { searched } from '../path-mtu.ts';
import { expect, type Stage, type Story } from '../story.ts';
import type { World } from '../world.ts';

const bulkOctets = 100e6;

export const story: Story = {
  name: 'mtu-count',
  summary: 'how many envelopes packets cost on a path of 1500: bulk, and small packets under load',
  async run(stage) {
    await bulk(stage, { delayMs: 1, atMost: 1.06 });
    // With no waiting at all the last envelope of each batch that the TUN gives leaves as it is, seldom full: 1.058 to 1.062 where nothing
    // else runs, more where the batches are cut short by other work.
    await bulk(stage, { delayMs: 0, atMost: 1.07 });
    await small(stage);
  },
};

async function pair({ world }: Stage, peer: object): Promise<{ lab: World; home: Moat; portal: Moat }> {
  const lab = await world({ nat: true });
  await lab.internet.impair({ mtu: 1500, icmp: 'eaten', fragments: 'eaten' });
  const moats = await startMoats(lab, { home: { peer }, portal: { peer } });
  await searched([moats.home, moats.portal]);
  return { lab, ...moats };
}

async function bulk(stage: Stage, { delayMs, atMost }: { delayMs: number; atMost: number }): Promise<void> {
  const { lab, portal } = await pair(stage, { clampMss: false, aggregationDelayMs: delayMs });
  const title = `bulk TCP without clamp, waiting ${delayMs} ms for company`;
  await stage.step(`${title}: at most ${atMost} envelopes for a packet of 1500 octets`, async () => {
    // How large the batches are that TUN gives is a matter of the scheduler, too: the best of three transfers counts.
    let ratio = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3 && ratio > atMost; tries += 1) {
      const { envelopes, packets } = await counted(portal, async () => {
        await lab.pc.fetch(lab.addresses.corp.v4, { octets: bulkOctets });
      });
      expect(packets > 60_000, 'more than 60 000 packets', packets);
      // By octets and not by packets: a packet that is not full would make the figure better.
      ratio = Math.min(ratio, envelopes / (bulkOctets / 1448));
    }
    expect(ratio <= atMost, `at most ${atMost}`, ratio);
    return ratio.toFixed(4);
  });
}

async function small(stage: Stage): Promise<void> {
  const { lab, home } = await pair(stage, {});
  await stage.step('packets of 64 octets under load: at least 12 share an envelope', async () => {
    const { envelopes, packets } = await counted(home, async () => {
      // Several senders: one alone is slower than the tunnel, and nothing would ever wait.
      const flow = { target: lab.addresses.corp.v4, octets: 64, rateMbit: 400, seconds: 3 };
      await Promise.all(
        [5000, 5001, 5002, 5003, 5004, 5005].map((port) => runFlow(lab.pc, lab.corp, { ...flow, port })),
      );
    });
    const ratio = packets / envelopes;
    expect(ratio >= 12, 'at least 12', `${ratio} (${packets} packets, ${envelopes} envelopes)`);
    return ratio.toFixed(1);
  });
}

/** What the sender's outbound SA counts meanwhile. */
async function counted(moat: Moat, action: () => Promise<void>): Promise<{ envelopes: number; packets: number }> {
  const sum = async () => {
    const { securityAssociations } = await moat.tunnel();
    const outbound = securityAssociations.filter(({ direction }) => direction === 'outbound');
    return outbound
      .map((sa) => sa as typeof sa & { envelopes: number })
      .reduce(
        (total, { envelopes, packets }) => ({
          envelopes: total.envelopes + envelopes,
          packets: total.packets + packets,
        }),
        { envelopes: 0, packets: 0 },
      );
  };
  const before = await sum();
  await action();
  const after = await sum();
  return { envelopes: after.envelopes - before.envelopes, packets: after.packets - before.packets };
}
