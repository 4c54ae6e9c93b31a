import { fileURLToPath } from 'node:url';
import { type FactoryBox, factoryBoxes, factoryToken, importBoxes, ownAddressIn, startBoxes } from '../fleet.ts';
import { Flow } from '../flow.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, type Moat } from '../moat.ts';
import { sleep, until } from '../processes.ts';
import { LabPortal } from '../provisioned.ts';
import { expect, type Story } from '../story.ts';
import { addresses, networks } from '../topology.ts';
import type { World } from '../world.ts';

const carriers = 20;
const appliedMs = 3000;
const zone = 'corp.example';
const primary = fileURLToPath(new URL('../primary.ts', import.meta.url));
/** Numbered packets of each: 50 a second of 200 octets. */
const flowOf = { octets: 200, rateMbit: 0.08, seconds: 300 };

export const story: Story = {
  name: 'live-change',
  summary: `an address range, a policy and a DNS zone change and a box is removed while ${carriers} others carry packets`,
  async run({ world, step }) {
    const lab = await world({ homes: carriers + 2 });
    await buildAddon();
    const boxes = factoryBoxes(carriers + 2);
    const portal = await portalWith(lab, boxes);
    const moats = await startBoxes(lab, boxes, portal, await factoryToken(portal, 'home-1'));
    const [subject, removed] = [moats[carriers], moats[carriers + 1]] as [Moat, Moat];
    const flows: Flow[] = [];
    await step(`${carriers + 2} boxes are up, ${carriers} of them send numbered packets`, async () => {
      for (const moat of moats) await moat.up(60_000);
      for (const [index, { name }] of boxes.slice(0, carriers).entries()) {
        flows.push(
          await Flow.start(lab.host(name), lab.corp, { target: addresses.corp.v4, port: 5100 + index, ...flowOf }),
        );
      }
      await sleep(2000);
      return undefined;
    });
    const changes = await changesOf(lab, portal, subject);
    for (const { title, prepare, command, applied } of changes) {
      await step(title, async () => {
        await prepare?.();
        const began = performance.now();
        await portal.command(...command);
        const committed = performance.now();
        await until(title, 20_000, applied);
        const [took, typed] = [performance.now() - committed, performance.now() - began];
        expect(took < appliedMs, `on the box in less than ${appliedMs} ms`, formatMs(took));
        await sleep(3000);
        return `on the box ${formatMs(took)} after the command ended, ${formatMs(typed)} after it was typed`;
      });
    }
    await step('a box is removed: its SAs go', async () => {
      const began = performance.now();
      await portal.command('device', 'archive', `home-${carriers + 2}`);
      const took = await until('the SAs are gone', 20_000, async () => {
        const { peers } = await portal.tunnel.tunnel();
        return peers.length === carriers + 1;
      });
      const typed = performance.now() - began;
      await removed.until('down', ({ tunnel }) => tunnel?.state !== 'up', 10_000);
      expect(took < appliedMs, `within ${appliedMs} ms`, formatMs(took));
      return `${formatMs(took)} after the command ended, ${formatMs(typed)} after it was typed`;
    });
    await step(`none of the ${carriers} has lost a packet`, async () => {
      for (const flow of flows) flow.end();
      const results = await Promise.all(flows.map((flow) => flow.finish()));
      const sent = results.reduce((sum, result) => sum + result.sent, 0);
      const losers = results.flatMap((result, index) =>
        result.lost > 0 ? [{ box: boxes[index]?.name, ...result }] : [],
      );
      expect(losers.length === 0 && sent > 0, 'nobody loses', losers);
      const gap = Math.max(...results.map(({ longestGapMs }) => longestGapMs));
      return `${sent} packets, longest gap ${formatMs(gap)}`;
    });
    await step('every other box kept its SAs: none of them was called again', async () => {
      const ups = await Promise.all(moats.slice(0, carriers).map(async (moat) => (await moat.peer()).upSeconds ?? 0));
      expect(Math.min(...ups) > 10, 'up since before the changes', ups);
      return undefined;
    });
  },
};

async function portalWith(lab: World, boxes: readonly FactoryBox[]): Promise<LabPortal> {
  const corporate = Object.values(networks.corp).flatMap((network) => ['--network', network]);
  const portal = await LabPortal.init(lab.portal, ['--address', addresses.portal.v4, ...corporate]);
  await portal.start();
  await portal.command('customer', 'add', 'acme');
  await portal.command('policy', 'add', 'special', '--setting', 'lan.interface=lan', 'lan.dhcp=false', 'lan.ntp=false');
  await importBoxes(portal, boxes.slice(0, carriers), 'default');
  await importBoxes(portal, boxes.slice(carriers), 'special');
  return portal;
}

interface Change {
  readonly title: string;
  /** What must be there before, and is not measured. */
  prepare?(): Promise<void>;
  /** Words of the `portal` command that makes the change. */
  readonly command: readonly string[];
  applied(): Promise<boolean>;
}

async function changesOf(lab: World, portal: LabPortal, subject: Moat): Promise<Change[]> {
  const { host } = subject;
  const site = `acme/${host.name}`;
  const own = ownAddressIn((await portal.configOf(host.name)).tunnel.networks);
  const served = lab.corp.start('primary', [process.execPath, primary, zone]);
  await served.line(/^ready$/);
  served.child.stdin?.write(`${JSON.stringify({ files: addresses.corp.v4 })}\n`);
  let isServed = false;
  await asking(subject, own, `files.${zone}`, () => {
    isServed = true;
  });
  const up = async () => (await subject.status()).tunnel?.state === 'up';
  return [
    {
      title: 'a policy: the MTU of the LAN',
      command: ['policy', 'set', 'special', '--setting', 'tunnel.mtu=1400'],
      applied: async () => (await up()) && (await subject.tunnel()).mtu === 1400,
    },
    {
      title: 'a DNS zone: the box serves it',
      command: ['dns-zone', 'add', zone, '--primaries', addresses.corp.v4, '--policy', 'special'],
      applied: async () => isServed,
    },
    {
      title: 'an address range: the box has another network, and packets of it arrive',
      async prepare() {
        await portal.command('pool', 'add', 'second', '--prefix', '10.200.0.0/16', '--site-length', '24');
        await host.ip('address add 10.200.0.1/32 dev lan');
      },
      command: ['site', 'renumber', site, '--pool', 'second'],
      async applied() {
        const { code } = await host.run(['ping', '-n', '-c', '1', '-W', '1', '-I', '10.200.0.1', addresses.corp.v4]);
        return code === 0;
      },
    },
  ];
}

/** Asks the box again and again, by one process that stays; `served` is called at the first answer. */
async function asking({ host }: Moat, server: string, name: string, served: () => void): Promise<void> {
  const script = `const { Resolver } = require('node:dns/promises');
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers(['${server}']);
    const ask = () => resolver.resolve4('${name}').then(([one]) => console.log('served', one), () => setTimeout(ask, 50));
    console.log('asking');
    ask();`;
  const asker = host.start('asking', [process.execPath, '-e', script]);
  await asker.line(/^asking$/);
  void asker.line(/^served/, 600_000).then(served, () => undefined);
}
