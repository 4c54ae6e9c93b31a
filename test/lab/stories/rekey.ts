import { Flow } from '../flow.ts';
import { formatRate } from '../measures.ts';
import type { Moat } from '../moat.ts';
import { startMoats } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import { expect, type Story } from '../story.ts';

const rekeysOfEach = 10;
const rateMbit = 50;

/** Keys change under the traffic: nothing may be lost or doubled by it. */
export const story: Story = {
  name: 'rekey',
  summary:
    'ten rekeys of the child and ten of the IKE SA from both ends under 50 Mbit/s each way: nothing lost, nothing doubled',
  async run({ world, step }) {
    const plain = await world({ plainPath: true });
    await step('the flow itself, over the plain path', async () => {
      const up = await Flow.start(plain.pc, plain.corp, { target: plain.addresses.corp.v4, rateMbit, seconds: 3 });
      const down = await Flow.start(plain.corp, plain.pc, { target: plain.addresses.pc.v4, rateMbit, seconds: 3 });
      return whole(up, down);
    });
    const lab = await world({ nat: true });
    const { home, portal } = await startMoats(lab);
    await lab.internet.impair({ delayMs: 5 });
    await step('the same through the tunnel while keys change', async () => {
      const flow = { rateMbit, seconds: 300, octets: 1300 };
      const up = await Flow.start(lab.pc, lab.corp, { ...flow, target: lab.addresses.corp.v4 });
      const down = await Flow.start(lab.corp, lab.pc, { ...flow, target: lab.addresses.pc.v4, port: 5001 });
      const began = performance.now();
      for (let turn = 0; turn < rekeysOfEach; turn += 1) {
        const [initiator, other] = turn % 2 === 0 ? [home, portal] : [portal, home];
        await rekeyed(initiator, other, 'child');
        await rekeyed(initiator, other, 'ike');
      }
      const seconds = (performance.now() - began) / 1000;
      for (const running of [up, down]) running.end();
      const measured = await whole(up, down);
      return `${2 * rekeysOfEach} rekeys in ${seconds.toFixed(1)} s, ${measured}`;
    });
    await step('both ends count ten and ten', async () => {
      const peers = [await home.peer(), await portal.peer()];
      for (const { ike } of peers) {
        expect((ike?.rekeys ?? 0) >= rekeysOfEach, `${rekeysOfEach} rekeys of the IKE SA`, ike);
        expect((ike?.children[0]?.rekeys ?? 0) >= rekeysOfEach, `${rekeysOfEach} rekeys of the child`, ike?.children);
      }
      return peers.map(({ ike }) => `${ike?.rekeys} and ${ike?.children[0]?.rekeys}`).join('; ');
    });
  },
};

/** Has one end make new keys and waits until both have them and the old ones are gone. */
async function rekeyed(initiator: Moat, other: Moat, what: 'child' | 'ike'): Promise<void> {
  const mark = async (moat: Moat) => {
    const { ike } = await moat.peer();
    return what === 'ike' ? ike?.spiInitiator : ike?.children[0]?.spiIn;
  };
  const before = [await mark(initiator), await mark(other)];
  await initiator.rekey(what);
  const deadline = performance.now() + 5000;
  while ((await mark(initiator)) === before[0] || (await mark(other)) === before[1]) {
    if (performance.now() > deadline) throw new Error(`no new ${what} SA within 5 s`);
    await sleep(20);
  }
  await sleep(150);
}

async function whole(...flows: readonly Flow[]): Promise<string> {
  const results = await Promise.all(flows.map((flow) => flow.finish()));
  for (const result of results) {
    const { lost, duplicates, corrupted, refused } = result;
    expect(lost + duplicates + corrupted + refused === 0, 'nothing lost, doubled or corrupted', result);
  }
  const packets = results.reduce((sum, { received }) => sum + received, 0);
  return `${packets} packets, ${results.map((result) => formatRate(result.bitsPerSecond)).join(' and ')}`;
}
