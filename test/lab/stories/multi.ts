import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig } from '../moat-pair.ts';
import { probePort } from '../probe-agent.ts';
import { Prober } from '../prober.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';

const { moatLan, moatLan2, moatKids, corp } = addresses;
const own = ({ v4, v6 }: { v4: string; v6: string }) => [`${v4}/24`, `${v6}/64`];

export const story: Story = {
  name: 'multi',
  summary: 'two employers whose insides have the same addresses, and kids: each reaches its own and nobody else',
  async run({ world, step }) {
    const lab = await world({ kids: true, second: true });
    await buildAddon();
    const home = await started(lab);
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

async function started(lab: World): Promise<Moat> {
  const [first, second] = [newCredentials(), newCredentials()];
  const base = homeConfig(lab, first);
  const [peer] = base.peers as Record<string, unknown>[];
  const config: MoatConfig = {
    ...base,
    tunnel: { networks: ['10.77.1.0/24', 'fd77:1::/64', '10.77.3.0/24', 'fd77:3::/64'] },
    peers: [
      peer,
      {
        ...peer,
        name: 'portal-2',
        id: 'portal-2.example',
        addresses: [addresses.portal2.v4],
        publicKey: second.portal.publicKey,
      },
    ],
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan), peers: ['portal'] },
      { name: 'work-2', kind: 'work', interface: 'lan2', addresses: own(moatLan2), peers: ['portal-2'] },
      { name: 'kids', kind: 'kids', interface: 'kids', addresses: own(moatKids) },
    ],
  };
  const portal = (host: World['portal'], made: MoatConfig) => Moat.start(host, { config: made });
  await portal(lab.portal, portalConfig(lab, first));
  const other = portalConfig(lab, { ...second, home: first.home });
  const [box] = other.peers as object[];
  await portal(lab.host('portal2'), {
    ...other,
    identity: { ...(other.identity as object), id: 'portal-2.example' },
    peers: [{ ...box, networks: ['10.77.3.0/24', 'fd77:3::/64'] }],
  });
  const home = await Moat.start(lab.moat, { config });
  await home.up();
  return home;
}
