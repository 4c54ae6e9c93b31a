import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { residentOctets as residentOctetsOf } from '../../../appliance/supervisor/service-runner.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, Moat, type MoatConfig, moatProgram } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { killService, withServices } from '../zoned.ts';

const scanner = fileURLToPath(new URL('../scan.ts', import.meta.url));

export const story: Story = {
  name: 'supervisor',
  summary:
    'a start, a rest, a cable, configurations that do not work and heal, and a scan from outside that sees nothing',
  async run({ world, step }) {
    const lab = await world({ kids: true });
    await buildAddon();
    const credentials = newCredentials();
    const config = withSecrets(await withServices(homeConfig(lab, credentials)));
    await Moat.start(lab.portal, { config: portalConfig(lab, credentials) });
    const home = await started(lab, step, config);
    await atRest(step, home);
    await cable(step, lab, home);
    await told(step, lab, home, credentials.home.privateKeyPem);
    await healing(step, lab, home, config);
    await scanned(step, lab);
    await step('a graceful end leaves no process and no device', async () => {
      await home.stop();
      const left = await lab.moat.must([
        'sh',
        '-c',
        'ip netns pids "$(ip netns identify)"; ip -o link show moat0 || true',
      ]);
      expect(!/moat0:/.test(left), 'no tunnel device', left);
      return undefined;
    });
  },
};

async function started(lab: World, step: Step, config: MoatConfig): Promise<Moat> {
  // Compiled now, whole, and kept: a box does so once in its life. What is compiled anew holds its compiler in memory.
  const first = await Moat.start(lab.moat, { config });
  await first.up(30_000);
  await first.until('settled', ({ configuration }) => configuration.state === 'settled', 30_000);
  await first.stop();
  let home: Moat | undefined;
  await step('from the start to the tunnel up: below 3 s', async () => {
    const began = performance.now();
    home = await Moat.start(lab.moat, { config, stateDirectory: first.stateDirectory });
    await home.up();
    const took = performance.now() - began;
    expect(took < 3000, 'below 3 s', took);
    return formatMs(took);
  });
  if (!home) throw new Error('moat did not start');
  return home;
}

async function atRest(step: Step, home: Moat): Promise<void> {
  await step('at rest: below 256 MB and 1 % of a core', async () => {
    await home.until('settled', ({ configuration }) => configuration.state === 'settled', 30_000);
    await sleep(5000);
    const before = await ticks(home);
    await sleep(20_000);
    const percent = ((await ticks(home)) - before) / 20;
    const { residentOctets, services } = await home.status();
    const parts = services.map(({ name, pid, sparePid }) =>
      [name, ...[pid, sparePid].map((each) => (each === null ? '' : megabytes(residentOctetsOf(each))))].join(' '),
    );
    expect(residentOctets < 256e6, 'below 256 MB', { residentOctets, parts });
    expect(percent < 1, 'below 1 %', percent);
    return `${megabytes(residentOctets)} (${parts.join(', ')}), ${percent.toFixed(2)} % of a core`;
  });
}

const megabytes = (octets: number) => `${(octets / 1e6).toFixed(0)} MB`;

/** Hundredths of a second of processor time of the whole appliance. */
async function ticks(home: Moat): Promise<number> {
  const pids = [
    home.process.child.pid ?? 0,
    ...(await home.status()).services.flatMap(({ pid, sparePid }) => [pid, sparePid]),
  ].filter((pid) => pid !== null);
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}

async function cable(step: Step, lab: World, home: Moat): Promise<void> {
  await step('the cable was out for long: plugged in again, the tunnel is up within 2 s', async () => {
    await lab.internet.ip('link set home down');
    await killService(home, 'tunnel');
    await sleep(15_000);
    const { tunnel } = await home.status();
    const pause = tunnel?.peers[0]?.retryInSeconds;
    await lab.internet.ip('link set home up', `address add ${addresses.internetHome.v6}/64 dev home`);
    const began = performance.now();
    await home.up();
    const took = performance.now() - began;
    expect(took < 2000, 'below 2 s', { took, pause });
    return `${formatMs(took)}, ${pause == null ? 'while IKE was still asking' : `where the pause would have gone on for ${pause} s`}`;
  });
}

const tsigSecret = Buffer.from('a TSIG secret of the lab, long').toString('base64');
const nestedSecret = Buffer.from('another secret, of a view of names').toString('base64');

/** Secrets wherever a configuration has any; the private key is a file beside it. */
function withSecrets(config: MoatConfig): MoatConfig {
  const keys = (secret: string) => [{ name: 'transfer.key', secret }];
  const zones = (config.zones as { name: string }[]).map((zone) =>
    zone.name === 'kids' ? { ...zone, dns: { keys: keys(nestedSecret) } } : zone,
  );
  return { ...config, zones, dns: { ...(config.dns as object), keys: keys(tsigSecret) } };
}

async function told(step: Step, lab: World, home: Moat, privateKeyPem: string): Promise<void> {
  await step('moat support helps who helps, and holds no key', async () => {
    const { code, stdout, stderr } = await home.command('support');
    const parts = Object.keys(JSON.parse(stdout) as object);
    expect(code === 0 && ['status', 'diagnosis', 'log', 'rules'].every((part) => parts.includes(part)), 'all parts', {
      parts,
      stderr,
    });
    const pem = privateKeyPem.split('\n')[1] ?? '';
    const seed = Buffer.from(pem, 'base64').subarray(-32);
    const forms = [
      tsigSecret,
      nestedSecret,
      pem,
      seed.toString('hex'),
      seed.toString('base64'),
      seed.toString('base64url'),
    ];
    const found = forms.filter((form) => form !== '' && stdout.includes(form));
    expect(found.length === 0 && stdout.includes('[secret]'), 'no key, and "[secret]" in its place', found);
    return `${(stdout.length / 1000).toFixed(0)} kB: ${parts.join(', ')}`;
  });
  await step('moat trace says which rule drops a packet of the kids, and leaves nothing behind', async () => {
    const trace = home.command('trace', 'kids', '--count', '2');
    await sleep(1500);
    await lab.host('kids').ping(addresses.corp.v4, { count: 3, interval: 300, wait: 200 });
    const { stdout, stderr } = await trace;
    const lines = stdout.trim().split('\n');
    expect(/10\.77\.2\.100 -> 10\.1\.0\.10 icmp echo-request.*(refused|dropped)/.test(lines[0] ?? ''), 'the rule', {
      stdout,
      stderr,
    });
    const tables = await lab.moat.must(['nft', 'list', 'tables']);
    expect(!tables.includes('moat_trace'), 'no table left', tables);
    return lines[0];
  });
  await step('moat metrics and moat status --watch', async () => {
    const { stdout } = await home.command('metrics');
    expect(
      /^moat_up 1$/m.test(stdout) && /^moat_service_running\{service="dns"\} 1$/m.test(stdout),
      'counters',
      stdout,
    );
    const watch = lab.moat.start('watch', [moatProgram, 'status', '--watch', '--state', home.stateDirectory]);
    await watch.line(/tunnel to portal is up/, 10_000);
    await watch.stop();
    return `${stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length} samples`;
  });
}

async function healing(step: Step, lab: World, home: Moat, config: MoatConfig): Promise<void> {
  const peers = config.peers as readonly Record<string, unknown>[];
  const harmful: [string, MoatConfig][] = [
    ['a portal that is not there', { ...config, peers: [{ ...peers[0], addresses: ['198.51.100.77'] }] }],
    ['the wrong key', { ...config, peers: [{ ...peers[0], publicKey: Buffer.alloc(32, 9).toString('base64') }] }],
  ];
  for (const [what, wrong] of harmful) {
    await step(`a configuration with ${what} is taken back by itself`, async () => {
      const began = performance.now();
      const { code, stderr } = await home.reconfigure(wrong);
      expect(code === 0, 'a valid configuration', stderr);
      await home.until('on trial', ({ configuration }) => configuration.state === 'trying', 1000);
      await home.until(
        'back',
        ({ configuration, tunnel }) => configuration.state === 'settled' && tunnel?.state === 'up',
        300_000,
      );
      const ping = await lab.pc.ping(addresses.corp.v4);
      expect(ping.received === 3, 'pc to reach corp', ping.received);
      return `${((performance.now() - began) / 1000).toFixed(0)} s`;
    });
  }
}

async function scanned(step: Step, lab: World): Promise<void> {
  for (const [family, target] of Object.entries(addresses.moatDirect)) {
    await step(`all TCP ports and common UDP ports from the wild side (${family}): silence`, async () => {
      const capture = await lab.internet.capture('home', 'not udp port 4500 and not udp port 500');
      await lab.internet.must([process.execPath, scanner, target], { timeout: 120_000 });
      const packets = await capture.stop();
      const answers = packets.filter(
        ({ source, destination, protocol }) => source === target && protocol !== 58 && destination !== source,
      );
      const knocks = new Set(
        packets
          .filter(({ destination }) => destination === target)
          .map((packet) => `${packet.protocol} ${packet.destinationPort}`),
      );
      expect(knocks.size > 66_000, 'every port knocked at', knocks.size);
      expect(
        answers.length === 0,
        'no answer',
        answers.slice(0, 5).map(({ protocol, sourcePort }) => ({ protocol, sourcePort })),
      );
      return `${knocks.size} ports, 0 answers`;
    });
  }
}
