import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { ApplianceStatus } from '../../../appliance/supervisor/status.ts';
import type { Host } from '../host.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, checkConfig, Moat } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig, startMoats } from '../moat-pair.ts';
import { expect, type Step, type Story } from '../story.ts';
import type { World } from '../world.ts';

/** Whatever is wrong: one clear sentence, no crash, and work resumes by itself once it is mended. */
export const story: Story = {
  name: 'faults',
  summary: 'wrong key, wrong field, silent and refusing portal, no TUN, port in use, stray and forged packets',
  async run({ world, step }) {
    await buildAddon();
    const lab = await world({ nat: true });
    await wrongConfiguration(lab, step);
    await wrongKeys(lab, step);
    await silentPortal(lab, step);
    await deadAddress(lab, step);
    await refusingPortal(lab, step);
    await noTun(lab, step);
    await portInUse(lab, step);
    await strayPackets(await world({ nat: false }), step);
  },
};

/** The sentence of the first status that shows a problem which matches. */
async function complains(moat: Moat, pattern: RegExp, timeout = 20_000): Promise<string> {
  const said = (status: ApplianceStatus) => status.problems.find((problem) => pattern.test(problem));
  const status = await moat.until(`complaining ${pattern}`, (now) => said(now) !== undefined, timeout);
  expect(!moat.process.hasExited, 'moat to live on', 'it ended');
  return said(status) ?? '';
}

async function wrongConfiguration(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  const right = homeConfig(lab, credentials);
  await step('a wrong field is named by `moat check`', async () => {
    const wrong = { ...right, tunnel: { networks: ['10.77.1.0/40'] } };
    const { code, stderr } = await checkConfig(lab.moat, wrong);
    expect(code === 1 && /tunnel\.networks/.test(stderr), 'exit 1 and the name of the field', `${code}: ${stderr}`);
    return stderr.trim().replace(/^.*?: /, '');
  });
  await step('an unknown field is refused, the right configuration is not', async () => {
    const { code, stderr } = await checkConfig(lab.moat, { ...right, tunnell: {} });
    expect(code === 1 && /tunnell/.test(stderr), 'exit 1 and the name of the field', `${code}: ${stderr}`);
    const good = await checkConfig(lab.moat, right);
    expect(good.code === 0, 'exit 0', `${good.code}: ${good.stderr}`);
    return stderr.trim().replace(/^.*?: /, '');
  });
  await step('`moat run` with a wrong field says so in status, and starts when it is mended', async () => {
    const moat = await Moat.start(lab.moat, { config: { ...right, peers: [{ name: 'portal' }] } });
    const sentence = await complains(moat, /refused.*peers/);
    await moat.reconfigure(right);
    await moat.until('running', ({ tunnel }) => tunnel !== null);
    await moat.stop();
    return sentence.replace(/\/\S+\//, '');
  });
}

async function wrongKeys(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  const others = newCredentials();
  const portal = await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
  await step('the portal does not know our key', async () => {
    const home = await Moat.start(lab.moat, { config: homeConfig(lab, { ...credentials, home: others.home }) });
    const sentence = await complains(home, /does not accept our proof/);
    const { state, retryInSeconds, failedAttempts } = await home.peer();
    expect(failedAttempts >= 1 && (state === 'waiting' || state === 'connecting'), 'another try to come', state);
    await home.stop();
    return `${sentence} (next try in ${retryInSeconds} s)`;
  });
  const home = await Moat.start(lab.moat, { config: homeConfig(lab, { ...credentials, portal: others.portal }) });
  await step('we have pinned another key for the portal', () => complains(home, /does not hold the key/));
  await step('and it heals when the key is right', async () => {
    const began = performance.now();
    await home.reconfigure(homeConfig(lab, credentials));
    await home.up(60_000);
    return `up after ${formatMs(performance.now() - began)}`;
  });
  await home.stop();
  await portal.stop();
}

async function silentPortal(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  await lab.internet.impair({ block: ['udp:500', 'udp:4500'] });
  const portal = await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
  const home = await Moat.start(lab.moat, { config: homeConfig(lab, credentials) });
  await step('a portal that is silent', () => complains(home, /does not answer on UDP 500 and 4500/, 80_000));
  await step('`moat status` says the same to people, and exits with 1', async () => {
    const { code, stdout } = await home.command('status');
    expect(code === 1 && /does not answer/.test(stdout), 'exit 1 and the sentence', `${code}: ${stdout}`);
    return `${stdout.trim().split('\n').length} lines`;
  });
  await step('is called again with back-off, and answers as soon as it can', async () => {
    const { retryInSeconds, failedAttempts } = await home.peer();
    await lab.internet.clear();
    const began = performance.now();
    await home.up(60_000);
    return `${failedAttempts} tries, next in ${retryInSeconds} s; up after ${formatMs(performance.now() - began)}`;
  });
  await Promise.all([home.stop(), portal.stop()]);
}

/** Nobody has the first of the portal's addresses, and nobody says so. */
async function deadAddress(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  const portal = await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
  // In the network between internet and portal, and nobody answers for it.
  const dead = '198.51.100.77';
  await step("the first of the portal's addresses is dead: the next one is called without waiting for it", async () => {
    const began = performance.now();
    const addresses = [dead, lab.addresses.portal.v4];
    const home = await Moat.start(lab.moat, { config: homeConfig(lab, credentials, { peer: { addresses } }) });
    await home.up(30_000);
    const called = [...home.log.matchAll(/"address":"([\d.]+)","msg":"calling"/g)]
      .map(([, address]) => address)
      .slice(-2);
    expect(called.join() === addresses.join(), addresses.join(), called);
    await home.stop();
    return `up after ${formatMs(performance.now() - began)}`;
  });
  await portal.stop();
}

async function refusingPortal(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  const ike = { ciphers: ['chacha20-poly1305'] };
  const portal = await Moat.start(lab.portal, { config: portalConfig(lab, credentials, { peer: { ike } }) });
  await step('a portal that accepts none of our algorithms', async () => {
    const config = homeConfig(lab, credentials, { peer: { ike: { ciphers: ['aes-256-gcm-16'] } } });
    const home = await Moat.start(lab.moat, { config });
    const sentence = await complains(home, /none of our algorithms/);
    await home.stop();
    return sentence;
  });
  await portal.stop();
}

async function noTun(lab: World, step: Step): Promise<void> {
  const config = homeConfig(lab, newCredentials());
  await step('no TUN device', async () => {
    const dev = `${lab.temporary}/dev`;
    const spoil = `mkdir -p ${dev} && mount --make-rprivate / && mount --bind ${dev} /dev/net`;
    const home = await Moat.start(lab.moat, { config, spoil });
    const sentence = await complains(home, /TUN|tun/);
    await home.stop();
    return sentence;
  });
}

async function portInUse(lab: World, step: Step): Promise<void> {
  const credentials = newCredentials();
  const config = homeConfig(lab, credentials);
  const holder = lab.moat.start('holder', [
    process.execPath,
    '-e',
    "require('dgram').createSocket('udp4').bind(500, () => console.log('ready'))",
  ]);
  await holder.line(/ready/);
  const home = await Moat.start(lab.moat, { config });
  await step('UDP port 500 in use', async () => complains(home, /500/));
  await step('the tunnel comes up once the port is free', async () => {
    const portal = await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
    await holder.stop();
    const began = performance.now();
    await home.up(60_000);
    await Promise.all([home.stop(), portal.stop()]);
    return formatMs(performance.now() - began);
  });
}

/** Anybody on the internet can send us anything. */
async function strayPackets(lab: World, step: Step): Promise<void> {
  const { home, portal } = await startMoats(lab);
  const target = lab.addresses.portal.v4;
  const spi = (await portal.peer()).ike?.children[0]?.spiIn ?? '';
  const capture = await lab.internet.capture('home', 'udp port 4500 or proto 50');
  await lab.pc.ping(lab.addresses.corp.v4, { count: 10 });
  const seen = (await capture.stop()).filter(({ destination }) => destination === target);
  const before = await drops(portal);
  const cases: readonly { name: string; reason: string; datagrams: readonly string[] }[] = [
    { name: 'random octets', reason: 'noInboundSa', datagrams: many(100, () => `${target} 4500 ${hexOf(200)}`) },
    {
      name: 'a forged SPI of ours',
      reason: 'authFailed',
      datagrams: many(100, (i) => `${target} 4500 ${forged(spi, i)}`),
    },
    {
      name: 'recorded envelopes once more',
      reason: 'replayed',
      datagrams: seen.map(
        ({ octets, protocol }) => `${target} 4500 ${octets.subarray(protocol === 17 ? 28 : 20).toString('hex')}`,
      ),
    },
    {
      name: 'short ones and empty ones',
      reason: 'malformed',
      datagrams: many(50, (i) => `${target} 4500 ${hexOf(i % 7)}`),
    },
  ];
  for (const { name, reason, datagrams } of cases) {
    await step(`${name}: dropped and counted`, async () => {
      await inject(lab.internet, datagrams);
      const status = await portal.until(`counting ${reason}`, ({ tunnel }) => {
        const count = tunnel?.dataplane?.drops[reason] ?? 0;
        return count - (before[reason] ?? 0) >= datagrams.length * 0.9;
      });
      const count = (status.tunnel?.dataplane?.drops[reason] ?? 0) - (before[reason] ?? 0);
      return `${datagrams.length} sent, ${reason} ${count}`;
    });
  }
  await step(
    'IKE: garbage, unknown SPIs and half messages are dropped, counted, and not answered but sparingly',
    async () => {
      const answers = await lab.internet.capture('portal', `src ${target} and udp src port 500`);
      await inject(lab.internet, [
        ...many(200, () => `${target} 500 ${hexOf(100)}`),
        ...many(200, () => `${target} 500 ${hexOf(16)}2e202500${'0'.repeat(8)}0000001c`),
      ]);
      const count = (await answers.stop()).length;
      const { ikeDrops } = await portal.tunnel();
      expect(count <= 20, 'at most 20 answers to 400 datagrams', count);
      const dropped = Object.values(ikeDrops).reduce((sum, each) => sum + each, 0);
      expect(dropped >= 300, 'most of 400 counted', ikeDrops);
      return `${dropped} counted, ${count} answers`;
    },
  );
  await step('the tunnel did not notice', async () => {
    const { received } = await lab.pc.ping(lab.addresses.corp.v4, { count: 20 });
    expect(received === 20, '20 answers', received);
    const rekeys = (await home.peer()).ike?.rekeys;
    expect(rekeys === 0 && (await portal.peer()).state === 'up', 'the same IKE SA', rekeys);
    return undefined;
  });
}

const hexOf = (octets: number) => randomBytes(octets).toString('hex');
const many = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i));
/** Our SPI, a sequence number in the future, and nonsense behind. */
const forged = (spi: string, index: number) =>
  spi.padStart(8, '0') + (100_000 + index).toString(16).padStart(8, '0') + hexOf(120);

async function drops(moat: Moat): Promise<Readonly<Record<string, number>>> {
  return (await moat.tunnel()).dataplane?.drops ?? {};
}

async function inject(from: Host, datagrams: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL('../inject.ts', import.meta.url));
  await from.must([process.execPath, program], { input: `${datagrams.join('\n')}\n` });
}
