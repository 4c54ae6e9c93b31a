import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { probePort } from '../probe-agent.ts';
import { sleep } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { type Allowed, always, basePairs, describe, isInner, type Pairs, wildOf, ZoneTable } from '../zone-table.ts';
import { killService, lanServices, reconfigured, startEmployers } from '../zoned.ts';

interface Policy {
  readonly what: string;
  readonly rows: readonly object[];
  /** What it allows besides. */
  readonly opens: Readonly<Record<string, Allowed>>;
}

const policies: readonly Policy[] = [
  {
    what: 'local breakout to one host by TCP, and UDP from work to kids',
    rows: [
      {
        from: 'work',
        to: 'wild',
        destinations: [`${wildOf('pc').v4}/32`],
        protocol: 'tcp',
        ports: [probePort],
      },
      { from: 'work', to: 'kids', protocol: 'udp' },
    ],
    opens: {
      'pc wild': (protocol, family) => protocol === 'tcp' && family === 'v4',
      'pc kids': (protocol) => protocol === 'udp',
    },
  },
  {
    what: 'breakout of the other employer for one device, and the two of work by ping',
    rows: [
      { from: 'work-2', to: 'wild', sources: [`${addresses.pc2.v6}/128`], protocol: 'udp', ports: [probePort] },
      { from: 'work', to: 'work-2', protocol: 'icmp' },
    ],
    opens: {
      'pc2 wild': (protocol, family) => protocol === 'udp' && family === 'v6',
      'pc pc2': (protocol) => protocol === 'icmp',
    },
  },
  {
    what: 'kids may ask work everything',
    rows: [{ from: 'kids', to: 'work' }],
    opens: { 'kids pc': always },
  },
  { what: 'nothing besides', rows: [], opens: {} },
];

const services = ['tunnel', 'dns', 'dhcp', 'ntp'];

export const story: Story = {
  name: 'zones',
  summary:
    'every ordered pair of wild, two employers, kids and the box: TCP, UDP, ICMP over both families, at all times',
  async run({ world, step }) {
    const lab = await world({ kids: true, second: true });
    await buildAddon();
    const served = await lanServices();
    const base = await startEmployers(lab, (config) => ({ ...config, ...served }));
    const home = await Moat.start(lab.moat, { config: base });
    await home.up();
    await home.settled(30_000);
    const table = await ZoneTable.start(lab);
    await step('before: every cell is as the table says', () => table.check(basePairs));
    await changing(step, home, base, table);
    await killing(step, home, base, table);
    await step('and afterwards every cell is as before', async () => {
      await home.up();
      return table.check(basePairs);
    });
    await wildSide(step, lab, home);
  },
};

/** Each change: what neither policy allows never passes, what both allow is never refused, and then the new one holds. */
async function changing(step: Step, home: Moat, base: MoatConfig, table: ZoneTable): Promise<void> {
  let before: Pairs = basePairs;
  for (const { what, rows, opens } of policies) {
    const after = { ...basePairs, ...opens };
    await step(`during the change to "${what}": 0 forbidden packets, 0 refused`, () =>
      table.during(before, after, true, async () => {
        await sleep(500);
        await reconfigured(home, { ...base, policy: rows });
        await sleep(500);
      }),
    );
    await step(`after it: every cell is as the table says`, () => table.check(after));
    before = after;
  }
}

async function killing(step: Step, home: Moat, base: MoatConfig, table: ZoneTable): Promise<void> {
  for (const service of services) {
    await step(`while ${service} is killed again and again and policies change: 0 forbidden packets`, () => {
      const { opens, rows } = policies[0] as Policy;
      const open = { ...basePairs, ...opens };
      return table.during(basePairs, open, false, async () => {
        for (let round = 0; round < 4; round += 1) {
          await killService(home, service);
          await reconfigured(home, { ...base, policy: round % 2 === 0 ? rows : [] });
          await sleep(700);
        }
      });
    });
  }
  await step('while all of them are killed at once: 0 forbidden packets', () =>
    table.during(basePairs, basePairs, false, async () => {
      for (let round = 0; round < 3; round += 1) {
        await Promise.all(services.map((name) => killService(home, name)));
        await sleep(1000);
      }
    }),
  );
}

async function wildSide(step: Step, lab: World, home: Moat): Promise<void> {
  await step('the wild side uses a network of the company: nothing of the company leaves in the clear', async () => {
    const capture = await lab.internet.capture('home', 'not udp port 500 and not udp port 4500');
    // What a hostile router hands out (TunnelCrack, "LocalNet"): a more specific way to the company, by the wild side.
    await lab.moat.ip('address add 10.1.0.200/24 dev wan', 'route replace fd01:1::/80 via 2001:db8:113::1 dev wan');
    const answers = await Promise.all([
      lab.pc.ping(addresses.corp.v4, { wait: 300 }),
      lab.pc.ping(addresses.corp.v6, { wait: 300 }),
    ]);
    await lab.moat.ip('address del 10.1.0.200/24 dev wan', 'route del fd01:1::/80 dev wan');
    expect(
      answers.every(({ received }) => received === 3),
      'the tunnel to go on',
      answers,
    );
    const leaked = (await capture.stop()).filter(isInner);
    expect(leaked.length === 0, 'no packet of the company on the wild side', leaked.map(describe));
    return `${answers.map(({ received }) => received)} answers, 0 packets in the clear`;
  });
  await step('the overlap was noticed within a second, and said', async () => {
    await lab.moat.ip('address add 10.1.0.200/24 dev wan');
    const began = performance.now();
    await home.until('told', ({ problems }) => problems.some((text) => /overlaps 10\.1\.0\.0\/16/.test(text)), 2000);
    const took = performance.now() - began;
    await lab.moat.ip('address del 10.1.0.200/24 dev wan');
    await home.until('well again', ({ problems }) => problems.length === 0, 3000);
    return `${Math.round(took)} ms`;
  });
}
