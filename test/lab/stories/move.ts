import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../../provisioning/testing/postgres-server.ts';
import { type FactoryBox, factoryBoxes, factoryToken, importBoxes, startBoxes } from '../fleet.ts';
import type { Host } from '../host.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, type Moat } from '../moat.ts';
import { sleep } from '../processes.ts';
import { LabPortal } from '../provisioned.ts';
import type { SimCount } from '../sim-boxes.ts';
import { expect, type Story } from '../story.ts';
import { addresses, networks } from '../topology.ts';
import type { World } from '../world.ts';

const real = 3;
/** Hosts with simulated boxes, so that no address has more of them than a household or an office may. */
const crowds = 7;
const crowd = 71;
const all = real + crowds * crowd;
const patienceMs = 180_000;
const simBoxes = fileURLToPath(new URL('../sim-boxes.ts', import.meta.url));

export const story: Story = {
  name: 'move',
  summary: `${all} boxes go from a portal on SQLite to another on PostgreSQL: export, import, redirect; nobody touches a box`,
  async run({ world, step }) {
    const lab = await world({ homes: real + crowds, second: true });
    await buildAddon();
    const server = await startPostgres();
    try {
      const west = await portalAt(lab, 'portal', 'west', []);
      const east = await portalAt(lab, 'portal2', 'east', ['--database', await server.createDatabase()]);
      await west.command('customer', 'add', 'acme');
      await west.command('policy', 'add', 'home');
      const boxes = factoryBoxes(real);
      const simulated = Array.from({ length: crowds }, (_, index) => factoryBoxes(crowd, `sim-${index + 1}`));
      await importBoxes(west, [...boxes, ...simulated.flat()], 'home');
      const token = await factoryToken(west, 'home-1');
      const crowded: Crowd[] = [];
      let moats: Moat[] = [];
      await step(`${real} boxes with a tunnel and ${all - real} simulated ones follow the old portal`, async () => {
        const began = performance.now();
        moats = await startBoxes(lab, boxes, west, token);
        for (const [index, those] of simulated.entries()) {
          crowded.push(new Crowd(lab.host(`home-${real + 1 + index}`), those, token));
        }
        await followed(crowded, 'west');
        await settled(crowded);
        for (const moat of moats) await moat.up(60_000);
        return formatMs(performance.now() - began);
      });
      await step('export, import: the new portal has them all', async () => {
        const file = join(lab.temporary, 'fleet.jsonl');
        await west.command('export', file);
        await east.command('import', file, '--portal', 'east', '--skip-existing');
        const { devices } = (await east.json<{ summary: { devices: number } }>('show')).summary;
        expect(devices === all, `${all} devices`, devices);
        return `${devices} devices`;
      });
      await step('redirect: every box is at the new portal, and forgets the old one', async () => {
        const began = performance.now();
        const { apiKey } = await east.json<{ apiKey: string }>('portal', 'show', 'east');
        await west.command(
          'device',
          'redirect',
          '--all',
          '--to',
          `https://${addresses.portal2.v4}:8443`,
          '--key',
          apiKey,
        );
        await followed(crowded, 'east');
        const there = formatMs(performance.now() - began);
        await settled(crowded);
        await east.tunnel.until('with all its real boxes', upCount(real), patienceMs);
        return `there after ${there}, the old one forgotten after ${formatMs(performance.now() - began)}`;
      });
      await step('the real ones are back on the tunnel, at the new portal', async () => {
        for (const moat of moats) {
          await moat.until('up', ({ tunnel }) => tunnel?.peers[0]?.name === 'east' && tunnel.state === 'up', 60_000);
          const { received } = await moat.host.ping(addresses.corp.v4, { count: 3 });
          expect(received === 3, '3 answers', received);
        }
        return undefined;
      });
      await step('the new portal hears from all of them', async () => {
        const began = performance.now();
        for (;;) {
          const { summary } = await east.json<{ summary: { up: number } }>('show');
          if (summary.up === all) return `${all} up`;
          expect(performance.now() - began < patienceMs, `${all} up`, summary);
          await sleep(1000);
        }
      });
      await step('the old portal is emptied: no device, no peer, no SA; nobody notices', async () => {
        await west.command('customer', 'archive', 'acme');
        await west.command('purge', '--older-than', '0');
        const { devices } = (await west.json<{ summary: { devices: number } }>('show')).summary;
        const tunnel = await west.tunnel.until('empty', (status) => status.tunnel?.peers.length === 0);
        const sas = tunnel.tunnel?.securityAssociations.length;
        expect(devices === 0 && sas === 0, 'nothing', { devices, sas });
        for (const moat of moats) await moat.up();
        return undefined;
      });
    } finally {
      await server.stop();
      rmSync(server.folder, { recursive: true, force: true });
    }
  },
};

function upCount(wanted: number) {
  return ({ tunnel }: Awaited<ReturnType<Moat['status']>>) =>
    tunnel?.peers.filter(({ state }) => state === 'up').length === wanted;
}

async function portalAt(lab: World, host: string, name: string, words: readonly string[]): Promise<LabPortal> {
  const address = host === 'portal' ? addresses.portal.v4 : addresses.portal2.v4;
  const corporate = Object.values(networks.corp).flatMap((network) => ['--network', network]);
  const portal = await LabPortal.init(lab.host(host), ['--name', name, '--address', address, ...corporate, ...words]);
  await portal.start();
  return portal;
}

/** A process with simulated boxes. */
class Crowd {
  last: SimCount = { boxes: 0, following: {}, settled: 0 };

  constructor(host: Host, boxes: readonly FactoryBox[], token: string) {
    const folder = join(host.home.temporary, `crowd-${host.name}`);
    mkdirSync(folder, { recursive: true });
    const wanted = boxes.map(({ name, privateKeyPem }) => {
      const keyFile = join(folder, `${name}.key`);
      writeFileSync(keyFile, privateKeyPem, { mode: 0o600 });
      return { name, keyFile };
    });
    const { child } = host.start('crowd', [process.execPath, simBoxes, folder]);
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('{"boxes"')) this.last = JSON.parse(line) as SimCount;
      });
    }
    child.stdin?.write(`${JSON.stringify({ token, boxes: wanted })}\n`);
  }
}

function followed(crowded: readonly Crowd[], portal: string): Promise<void> {
  return until(crowded, `follow ${portal}`, ({ following }) => following[portal] === crowd);
}

function settled(crowded: readonly Crowd[]): Promise<void> {
  return until(crowded, 'have forgotten every other portal', (count) => count.settled === crowd);
}

async function until(crowded: readonly Crowd[], what: string, holds: (count: SimCount) => boolean): Promise<void> {
  const began = performance.now();
  while (!crowded.every(({ last }) => holds(last))) {
    const counts = crowded.map(({ last }) => last);
    expect(performance.now() - began < patienceMs, `all ${what}`, counts);
    await sleep(200);
  }
}
