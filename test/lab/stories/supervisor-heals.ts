import { Moat, type MoatConfig } from '../moat.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import { everyService } from '../zoned.ts';

/** The bar, seconds. */
const healedWithin = 300;

export const story: Story = {
  name: 'supervisor-heals',
  summary: 'configurations that lock the box out are taken back by themselves in under five minutes',
  async run(stage) {
    const { step } = stage;
    const { lab, config } = await everyService(stage);
    const home = await Moat.start(lab.moat, { config });
    await home.settled(30_000);
    for (const [what, wrong] of harmful(config)) {
      await step(`${what}: taken back by itself`, async () => {
        const began = performance.now();
        const { code, stderr } = await home.reconfigure(wrong);
        expect(code === 0, 'a valid configuration', stderr);
        await home.until('on trial', ({ configuration }) => configuration.state === 'trying', 1000);
        const { problems } = await home.until(
          'back',
          ({ configuration, tunnel }) => configuration.state === 'settled' && tunnel?.state === 'up',
          healedWithin * 1000,
        );
        const took = (performance.now() - began) / 1000;
        const ping = await lab.pc.ping(addresses.corp.v4);
        expect(ping.received === 3, 'pc to reach corp', ping.received);
        expect(
          problems.some((text) => /did not work/.test(text)),
          'a sentence that says so',
          problems,
        );
        return `${took.toFixed(0)} s; "${problems.find((text) => /did not work/.test(text))}"`;
      });
    }
  },
};

function harmful(config: MoatConfig): [string, MoatConfig][] {
  const peers = config.peers as readonly Record<string, unknown>[];
  const zones = config.zones as readonly Record<string, unknown>[];
  return [
    ['a portal that is not there', { ...config, peers: [{ ...peers[0], addresses: ['198.51.100.77'] }] }],
    ['the wrong key', { ...config, peers: [{ ...peers[0], publicKey: Buffer.alloc(32, 9).toString('base64') }] }],
    [
      'a wild side that is another port',
      { ...config, zones: zones.map((zone) => (zone.name === 'wild' ? { ...zone, interface: 'nothing0' } : zone)) },
    ],
  ];
}
