import { formatMs } from '../measures.ts';
import { Moat, type MoatConfig, moatProgram } from '../moat.ts';
import { sleep } from '../processes.ts';
import { expectSilence } from '../silence.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { everyService, killService } from '../zoned.ts';

export const story: Story = {
  name: 'supervisor-basics',
  summary:
    'a cable, power cuts in the middle of a change, what the box says of itself, and a scan from outside that sees nothing',
  async run(stage) {
    const { step } = stage;
    const { lab, config, credentials } = await everyService(stage, { home: withSecrets });
    const first = await Moat.start(lab.moat, { config });
    await first.up(30_000);
    await first.settled(30_000);
    await cable(step, lab, first);
    await told(step, lab, first, credentials.home.privateKeyPem);
    await step('after its first start it has less than 256 MB resident', async () => {
      const { residentOctets } = await first.status();
      expect(residentOctets > 30e6 && residentOctets < 256e6, 'below 256 MB', residentOctets);
      return `${(residentOctets / 1e6).toFixed(0)} MB`;
    });
    const home = await powerCuts(step, lab, first, config);
    for (const [family, target] of Object.entries(addresses.moatDirect))
      await step(`all TCP ports and common UDP ports from the wild side (${family}): silence`, () =>
        expectSilence(lab.internet, 'home', target),
      );
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

/** Moments of a change: while it is applied, while it is proven, after it. Milliseconds after it was put on trial. */
const cutsMs = [0, 400, 3500];

/** Each cut in the middle of a change that would lock the box out, and of one that would not. The last life of the box. */
async function powerCuts(step: Step, lab: World, first: Moat, config: MoatConfig): Promise<Moat> {
  const [peer] = config.peers as readonly Record<string, unknown>[];
  const harmful = { ...config, peers: [{ ...peer, addresses: ['198.51.100.77'] }] };
  const harmless = { ...config, revision: 2 };
  let home = first;
  for (const [what, change] of [
    ['would lock it out', harmful],
    ['works', harmless],
  ] as const) {
    await step(
      `power cuts in the middle of a change that ${what}: the box is back under the old or the new`,
      async () => {
        const { configuration: before } = await home.status();
        const generations = new Set<string | null>();
        const times: number[] = [];
        for (const afterMs of cutsMs) {
          home = await cutDuring(lab, home, change, afterMs);
          const began = performance.now();
          const { configuration } = await home.until(
            'settled and up',
            ({ configuration: now, tunnel }) => now.state === 'settled' && tunnel?.state === 'up',
            300_000,
          );
          times.push(performance.now() - began);
          generations.add(configuration.generation);
          const ping = await lab.pc.ping(addresses.corp.v4, { count: 1 });
          expect(ping.received === 1, 'pc to reach corp', ping);
        }
        const allowed = what === 'works' ? 2 : 1;
        expect(generations.size <= allowed && generations.has(before.generation), 'the old one, or the new one whole', {
          before,
          generations,
        });
        return `${cutsMs.length} cuts, back after ${formatMs(Math.max(...times))} at most`;
      },
    );
  }
  return home;
}

/** Every process ends in the same moment, and the kernel forgets what they had set. */
async function cutDuring(lab: World, home: Moat, change: MoatConfig, afterMs: number): Promise<Moat> {
  const reloading = home.reconfigure(change);
  await home.until('on trial', ({ configuration }) => configuration.state === 'trying', 10_000);
  await sleep(afterMs);
  await lab.moat.run(['sh', '-c', 'kill -9 $(ip netns pids "$(ip netns identify)" | grep -vx $$)']);
  await Promise.all([reloading, home.process.exited]);
  await lab.moat.must(['nft', 'flush', 'ruleset']);
  return home.startAgain();
}
