import { buildAddon, Moat } from '../moat.ts';
import { probePort } from '../probe-agent.ts';
import { Prober } from '../prober.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import { startEmployers } from '../zoned.ts';

const { corp } = addresses;

export const story: Story = {
  name: 'multi',
  summary: 'two employers whose insides have the same addresses, and kids: each reaches its own and nobody else',
  async run({ world, step }) {
    const lab = await world({ kids: true, second: true });
    await buildAddon();
    const home = await Moat.start(lab.moat, { config: await startEmployers(lab, (config) => config) });
    await home.up();
    const hosts = {
      pc: lab.pc,
      pc2: lab.host('pc2'),
      kids: lab.host('kids'),
      corp: lab.corp,
      corp2: lab.host('corp2'),
    };
    const probers = Object.fromEntries(
      await Promise.all(Object.entries(hosts).map(async ([name, host]) => [name, await Prober.start(host)] as const)),
    );
    for (const [from, reached] of [
      ['pc', 'corp'],
      ['pc2', 'corp2'],
      ['kids', null],
    ] as const) {
      await step(`${from} asks ${corp.v4} and ${corp.v6}: ${reached ?? 'nobody'} hears it`, async () => {
        const captures = { corp: await lab.corp.capture('lan'), corp2: await lab.host('corp2').capture('lan') };
        const asked = (['v4', 'v6'] as const).flatMap((family) =>
          (['tcp', 'udp', 'icmp'] as const).map((protocol) => probers[from]?.ask(protocol, corp[family])),
        );
        const answers = (await Promise.all(asked)).filter(Boolean).length;
        const heard = Object.entries(captures).map(async ([name, capture]) => {
          const packets = await capture.stop();
          return [name, packets.filter(({ source }) => /^(10\.77|fd77)/.test(source)).length] as const;
        });
        const arrived = Object.fromEntries(await Promise.all(heard)) as Record<string, number>;
        expect(answers === (reached === null ? 0 : asked.length), 'answers of its own employer', answers);
        for (const [name, count] of Object.entries(arrived)) {
          expect(count > 0 === (name === reached), `packets at ${reached ?? 'nobody'} only`, arrived);
        }
        return `${answers} of ${asked.length} answers on port ${probePort} and by ping, ${JSON.stringify(arrived)}`;
      });
    }
    await step('the two of work do not reach each other, nor the kids', async () => {
      const pairs = [
        ['pc', addresses.pc2],
        ['pc2', addresses.pc],
        ['pc', addresses.kids],
        ['kids', addresses.pc2],
      ] as const;
      const asked = pairs.flatMap(([from, to]) => [
        probers[from]?.ask('icmp', to.v4),
        probers[from]?.ask('tcp', to.v6),
      ]);
      const answers = (await Promise.all(asked)).filter(Boolean).length;
      expect(answers === 0, 'no answer', answers);
      return `${asked.length} probes`;
    });
    await step('one employer goes away: the other does not notice', async () => {
      await lab.host('portal2').ip('link set wan down');
      const ping = await lab.pc.ping(corp.v4, { count: 50 });
      expect(ping.received === 50, '50 answers', ping.received);
      expect((await home.peer('portal')).state === 'up', 'the first tunnel up', await home.peer('portal'));
      return undefined;
    });
  },
};
