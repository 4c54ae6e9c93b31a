import { formatRate } from '../measures.ts';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { Prober } from '../prober.ts';
import { sleep } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { own, reconfigured, startEmployers } from '../zoned.ts';

type Address = { readonly v4: string; readonly v6: string };
/** The home's LAN lies inside the range of both companies. */
const lan = { box: '10.1.5.1', pc: '10.1.5.100' };

interface Employer {
  readonly host: string;
  /** The employer's server as hosts of ours call it. */
  readonly there: Address;
  /** pc, as the employer sees it. */
  readonly here: Address;
  readonly map: object;
}

const row = (network: string, as: string) => ({ network, as });
const employers: readonly [Employer, Employer] = [
  {
    host: 'corp',
    there: { v4: '172.30.0.10', v6: 'fd91:1::10' },
    here: { v4: '10.99.1.100', v6: addresses.pc.v6 },
    map: {
      theirs: [row('10.1.0.0/16', '172.30.0.0/16'), row('fd01:1::/64', 'fd91:1::/64')],
      ours: [row('10.1.5.0/24', '10.99.1.0/24')],
    },
  },
  {
    host: 'corp2',
    there: { v4: '172.31.0.10', v6: 'fd92:1::10' },
    here: { v4: '10.99.2.100', v6: 'fd99:2::100' },
    map: {
      theirs: [row('10.1.0.0/16', '172.31.0.0/16'), row('fd01:1::/64', 'fd92:1::/64')],
      ours: [row('10.1.5.0/24', '10.99.2.0/24'), row('fd77:1::/64', 'fd99:2::/64')],
    },
  },
];

export const story: Story = {
  name: 'mapping',
  summary: 'a home and two employers that all use the same addresses: each reaches each under others, one for one',
  async run({ world, step }) {
    const lab = await world({ kids: true, second: true });
    await buildAddon();
    const config = await startEmployers(lab, overlapping, [
      ['10.99.1.0/24', 'fd77:1::/64'],
      ['10.99.2.0/24', 'fd99:2::/64'],
    ]);
    await moveIn(lab);
    const home = await Moat.start(lab.moat, { config: unmapped(config) });
    await step('unmapped, the overlaps are said, one sentence each', async () => {
      const { problems } = await home.until('told', (status) => status.problems.some((each) => /overlaps/.test(each)));
      expect(
        problems.some((each) => /both have/.test(each)),
        'the two employers, too',
        problems,
      );
      return problems.join(' ');
    });
    await reconfigured(home, config);
    await home.settled(60_000);
    const pc = await Prober.start(lab.pc);
    for (const employer of employers) await reached(step, lab, pc, employer);
    await step('mapped, nothing is wrong, and status and doctor say what is where', async () => {
      const { problems, notes } = await home.status();
      expect(problems.length === 0 && notes.length === 7, 'no problem and seven notes', { problems, notes });
      const { stdout } = await home.command('doctor');
      expect(stdout.includes(notes[0] ?? '?'), 'the doctor to say so, too', stdout);
      return notes[0];
    });
  },
};

async function reached(step: Step, lab: World, pc: Prober, { host, there, here }: Employer): Promise<void> {
  const server = lab.host(host);
  const prober = await Prober.start(server);
  const ask = async (from: Prober, target: Address) => {
    const asked = (['v4', 'v6'] as const).flatMap((family) =>
      (['tcp', 'udp', 'icmp'] as const).map((protocol) => from.ask(protocol, target[family])),
    );
    return (await Promise.all(asked)).filter(Boolean).length;
  };
  await step(`pc reaches ${host} as ${there.v4} and ${there.v6}, which sees ${here.v4} and ${here.v6}`, async () => {
    const [captures, others] = [await server.capture('lan'), await lab.internet.capture('home', 'not udp')];
    const answers = await ask(pc, there);
    const seen = new Set((await captures.stop()).map(({ source }) => source));
    const clear = (await others.stop()).filter(({ protocol }) => protocol !== 58);
    expect(answers === 6, '6 answers', answers);
    expect(seen.has(here.v4) && seen.has(here.v6), `${here.v4} and ${here.v6}`, [...seen]);
    expect(!seen.has(lan.pc), 'not the address at home', [...seen]);
    expect(clear.length === 0, 'nothing in the clear', clear.length);
    return `${answers} of 6`;
  });
  await step(`${host} reaches pc as ${here.v4}, which sees ${there.v4}`, async () => {
    const capture = await lab.pc.capture('lan');
    const answers = await ask(prober, here);
    const seen = new Set((await capture.stop()).map(({ source }) => source));
    expect(answers === 6, '6 answers', answers);
    expect(seen.has(there.v4) && seen.has(there.v6), `${there.v4} and ${there.v6}`, [...seen]);
    return `${answers} of 6`;
  });
  await step('the box itself reaches it, too', async () => {
    const ping = await lab.moat.ping(there.v4);
    expect(ping.received === 3, '3 answers', ping);
    return undefined;
  });
  await step('a router on the way is heard: what its ICMP quotes is translated as well', async () => {
    const ping = await lab.pc.ping(there.v4, { ttl: 2, count: 2 });
    expect(
      ping.errors.some((line) => /Time to live exceeded/.test(line)),
      'time exceeded',
      ping,
    );
    return ping.errors[0];
  });
  if (host !== 'corp') return;
  await step('20 MB each way, byte for byte', async () => {
    const down = await lab.pc.fetch(there.v4, { octets: 20e6 });
    const up = await lab.pc.upload(there.v4, { octets: 20e6 });
    return `${formatRate(down.bitsPerSecond)} down, ${formatRate(up.bitsPerSecond)} up`;
  });
}

function overlapping(config: MoatConfig): MoatConfig {
  const peers = config.peers as object[];
  const zone = (name: string, device: string, addressList: string[]) => ({
    name,
    kind: 'work',
    interface: device,
    addresses: addressList,
  });
  return {
    ...config,
    tunnel: { networks: ['10.1.5.0/24', 'fd77:1::/64'], sourceAddresses: [lan.box, addresses.moatLan.v6] },
    peers: peers.map((peer, index) => ({ ...peer, map: employers[index]?.map })),
    zones: [
      { name: 'wild', kind: 'wild', interface: 'wan' },
      zone('work', 'lan', own({ v4: lan.box, v6: addresses.moatLan.v6 })),
    ],
  };
}

function unmapped(config: MoatConfig): MoatConfig {
  return { ...config, peers: (config.peers as object[]).map((peer) => ({ ...peer, map: {} })) };
}

async function moveIn({ pc, moat }: World): Promise<void> {
  await moat.ip(`address del ${addresses.moatLan.v4}/24 dev lan`, `address add ${lan.box}/24 dev lan`);
  await pc.ip(
    `address del ${addresses.pc.v4}/24 dev lan`,
    `address add ${lan.pc}/24 dev lan`,
    `route replace default via ${lan.box}`,
  );
  await sleep(50);
}
