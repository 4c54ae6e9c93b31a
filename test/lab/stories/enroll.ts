import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatMs } from '../measures.ts';
import { buildAddon, Moat, moatProgram } from '../moat.ts';
import { LabPortal } from '../provisioned.ts';
import { expect, type Stage, type Story } from '../story.ts';
import { addresses, networks } from '../topology.ts';
import type { World } from '../world.ts';

const deadlineMs = 60_000;
const zone = 'corp.example';
const lanClient = fileURLToPath(new URL('../lan-client.ts', import.meta.url));
const primary = fileURLToPath(new URL('../primary.ts', import.meta.url));
const addBox = fileURLToPath(new URL('../../interop/provisioning/add-box.ts', import.meta.url));

export const story: Story = {
  name: 'enroll',
  summary: 'an empty directory and a fresh home become a portal and its box, by command line and by the web page',
  async run(stage) {
    await byCommand(stage);
    await byPage(stage);
  },
};

/** How the boxes of this world are built: the policy says it once for all. */
const policy = ['policy', 'set', 'default', '--setting', 'lan.interface=lan', 'lan.wild=wan', 'lan.ntp=false'];

async function emptyWorld({ world }: Stage): Promise<World> {
  const lab = await world({ nat: true });
  await buildAddon();
  // A fresh home: its LAN has no addresses yet, nor has anybody in it.
  await lab.moat.ip('address flush dev lan');
  await lab.pc.ip('address flush dev lan');
  const running = lab.corp.start('primary', [process.execPath, primary, zone]);
  await running.line(/^ready$/);
  running.child.stdin?.write(`${JSON.stringify({ files: addresses.corp.v4 })}\n`);
  return lab;
}

function portalOf(lab: World): Promise<LabPortal> {
  const corporate = Object.values(networks.corp).flatMap((network) => ['--network', network]);
  const pools = ['--pool', '10.77.0.0/16/24', '--pool', 'fd77::/48/64'];
  return LabPortal.init(lab.portal, ['--address', addresses.portal.v4, ...corporate, ...pools]);
}

async function byCommand(stage: Stage): Promise<void> {
  const { step } = stage;
  const lab = await emptyWorld(stage);
  const state = join(lab.temporary, 'fresh-home');
  let portal: LabPortal | undefined;
  let began = 0;
  await step('portal init, run, a customer, a device, a code: five commands in an empty directory', async () => {
    began = performance.now();
    portal = await portalOf(lab);
    await portal.start();
    await portal.command(...policy);
    await portal.command('dns-zone', 'add', zone, '--primaries', addresses.corp.v4);
    await portal.command('customer', 'add', 'acme');
    await portal.command('device', 'add', 'home-1', '--customer', 'acme');
    return formatMs(performance.now() - began);
  });
  if (!portal) return;
  const token = await portal.token('home-1');
  await step('moat enroll on the fresh home, moat run: the tunnel is up', async () => {
    await lab.moat.must([moatProgram, 'enroll', token, '--state', state]);
    const home = await Moat.startIn(lab.moat, state);
    await home.up(deadlineMs);
    return `${formatMs(performance.now() - began)} since the empty directory`;
  });
  await step('pc gets an address, a name of the company, and the company', () => served(lab, began));
  await step('the code opens nothing for a second box', async () => {
    const { code, stderr } = await lab.moat.run([
      moatProgram,
      'enroll',
      token,
      '--state',
      join(lab.temporary, 'thief'),
    ]);
    expect(code === 1 && stderr.includes('refuses this code'), 'exit code 1 and a sentence', { code, stderr });
    return stderr.trim();
  });
  await step('the portal knows: up, configuration confirmed', () => confirmed(portal as LabPortal, 'home-1'));
}

interface Lease {
  readonly address: string;
  readonly dns: string;
  readonly answers: Readonly<Record<string, string | string[]>>;
}

async function asked(lab: World): Promise<Lease> {
  return JSON.parse(await lab.pc.must([process.execPath, lanClient, 'lan', `files.${zone}`])) as Lease;
}

/** What a device of the LAN sees of it all. */
async function served(lab: World, began: number): Promise<string> {
  // The company's zone comes a moment after the tunnel; until then its names are refused, not asked elsewhere.
  let lease = await asked(lab);
  while (lease.answers[`files.${zone}`] === 'ESERVFAIL' && performance.now() - began < deadlineMs)
    lease = await asked(lab);
  expect(lease.answers[`files.${zone}`]?.[0] === addresses.corp.v4, addresses.corp.v4, lease);
  await lab.pc.fetch(addresses.corp.v4, { octets: 1e6 });
  const took = performance.now() - began;
  expect(took < deadlineMs, `all within ${deadlineMs / 1000} s`, formatMs(took));
  return `${lease.address}, 1 MB fetched; ${formatMs(took)} from the beginning`;
}

async function confirmed(portal: LabPortal, device: string): Promise<string> {
  interface Shown {
    readonly status: { readonly health: string; readonly confirmedRevision: number } | null;
  }
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { status } = await portal.json<Shown>('show', device);
    if (status?.health === 'up' && status.confirmedRevision > 0) return `revision ${status.confirmedRevision}`;
    expect(performance.now() < deadline, 'up and confirmed', status);
  }
}

async function byPage(stage: Stage): Promise<void> {
  const { step } = stage;
  const lab = await emptyWorld(stage);
  const portal = await portalOf(lab);
  await portal.start();
  await portal.command(...policy);
  await portal.command('dns-zone', 'add', zone, '--primaries', addresses.corp.v4);
  const ann = await portal.json<{ password: string; totpSecret: string }>('operator', 'add', 'ann', '--role', 'owner');
  const began = performance.now();
  let token = '';
  await step('in Chromium: log in, add a box, read its code', async () => {
    const words = ['https://localhost:8444/', 'ann', ann.password, ann.totpSecret, 'Miller', 'miller-1'];
    token = (await lab.portal.must([process.execPath, addBox, ...words])).trim();
    expect(token.startsWith('moat1.'), 'a token', token);
    return formatMs(performance.now() - began);
  });
  await step('a moat that runs already finds the token on its boot partition and enrols by itself', async () => {
    const folder = join(lab.temporary, 'boot');
    await lab.moat.must(['sh', '-c', `mkdir -p ${folder} && cat >${folder}/enrolment.token`], { input: token });
    const words = ['--config', join(folder, 'moat.json')];
    const home = await Moat.startIn(lab.moat, join(lab.temporary, 'state'), words);
    await home.up(deadlineMs);
    return `${formatMs(performance.now() - began)} since the page was opened`;
  });
  await step('pc gets an address, a name of the company, and the company', () => served(lab, began));
  await step('the portal knows: up, configuration confirmed', () => confirmed(portal, 'miller-1'));
}
