import { existsSync } from 'node:fs';
import { Flow } from '../flow.ts';
import type { Host } from '../host.ts';
import { formatMs } from '../measures.ts';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import type { Running } from '../running.ts';
import { expectSilence } from '../silence.ts';
import { expect, type Step, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { own, portalZones, reconfigured } from '../zoned.ts';

const { moatHome, homeRouterLan, moatLan, corp } = addresses;
const wild = { name: 'wild', kind: 'wild', interface: 'wan' };

export const story: Story = {
  name: 'wild',
  summary: 'the wild side by DHCP of both families, static and PPPoE, with the clients of Debian under the supervisor',
  async run({ world, step }) {
    const lab = await world({ nat: true });
    await buildAddon();
    const credentials = newCredentials();
    const base = withWork(homeConfig(lab, credentials));
    await Moat.start(lab.portal, { config: portalZones(portalConfig(lab, credentials)) });
    await lab.moat.ip('address flush dev wan', 'route flush dev wan', 'link set wan down');
    const router = lab.host('home-router');
    let server = await dhcpServer(router, 50);
    const home = await byDhcp(step, lab, base);
    for (const target of await wanAddresses(lab))
      await step(`the client listens, and nothing answers to a scan of ${target}`, () =>
        expectSilence(router, 'lan', target.replace(/\/.*/, '')),
      );
    await killed(step, lab, home);
    await step('the router gives another address: noticed within a second, and the tunnel is up again', async () => {
      await server.stop();
      await router.ip('link set lan down');
      server = await dhcpServer(router, 100);
      await sleep(500);
      await router.ip('link set lan up', `address add ${homeRouterLan.v6}/64 dev lan`);
      return readdressed(lab, home);
    });
    await step('static: the client ends, the tunnel is up, and the configuration proves itself', async () => {
      const fixed = [`${moatHome.v4}/24`, `${moatHome.v6}/64`];
      const gateways = [homeRouterLan.v4, homeRouterLan.v6];
      await reconfigured(home, withWild(base, { addressing: 'static', addresses: fixed, gateways }));
      await home.settled(60_000);
      expect((await clients(lab)) === 0, 'no DHCP client', await clients(lab));
      await reaches(lab);
      const shown = await wanAddresses(lab);
      expect(fixed.every((each) => shown.includes(each)) && shown.length === 2, fixed.join(' '), shown);
      return shown.join(' ');
    });
    await step('static: all TCP ports and common UDP ports from the wild side: silence', () =>
      expectSilence(router, 'lan', moatHome.v4),
    );
    await shortQueue(step, lab, home, base);
    await pppoe(step, lab, home, base);
  },
};

function withWork(config: MoatConfig): MoatConfig {
  return withWild(
    { ...config, zones: [wild, { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan) }] },
    { addressing: 'dhcp' },
  );
}

function withWild(config: MoatConfig, change: object): MoatConfig {
  const [, ...inside] = config.zones as object[];
  return { ...config, zones: [{ ...wild, ...change }, ...inside] };
}

/**
 * Somebody else's server for both families, at the home router; addresses from `first` on. It would look by ping, for three seconds,
 * whether somebody has the address already: its time and not ours.
 */
async function dhcpServer(router: Host, first: number): Promise<Running> {
  const leases = `${router.home.temporary}/leases-${first}`;
  const words = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    '--interface=lan',
    '--bind-dynamic',
    '--no-ping',
  ];
  const ranges = [
    `--dhcp-range=192.168.178.${first},192.168.178.${first + 9},2m`,
    `--dhcp-range=2001:db8:178::${first},2001:db8:178::${first + 9},64,5m`,
  ];
  const rest = ['--enable-ra', '--dhcp-authoritative', `--dhcp-leasefile=${leases}`, '--pid-file=', '--user=root'];
  const running = router.start('dnsmasq', ['dnsmasq', ...words, ...ranges, ...rest, '--log-facility=-', '--log-dhcp']);
  await sleep(300);
  if (running.hasExited) throw new Error(`dnsmasq ended (log: ${running.log})`);
  return running;
}

async function wanAddresses({ moat }: World): Promise<string[]> {
  const shown = await moat.must(['ip', '-o', 'address', 'show', 'dev', 'wan', 'scope', 'global']);
  return [...shown.matchAll(/inet6? (\S+)/g)].map(([, address = '']) => address);
}

/** Processes of the DHCP client in the box. */
async function clients({ moat }: World): Promise<number> {
  const script =
    'for p in $(ip netns pids "$(ip netns identify)"); do cat /proc/$p/comm; done | grep -c dhcpcd || true';
  return Number((await moat.must(['sh', '-c', script])).trim());
}

async function byDhcp(step: Step, lab: World, config: MoatConfig): Promise<Moat> {
  const home = await Moat.start(lab.moat, { config });
  const began = performance.now();
  await step('DHCP: an address of each family, and the tunnel is up', async () => {
    await home.up(30_000);
    const took = performance.now() - began;
    const v6 = /^2001:db8:178::/;
    while (!(await wanAddresses(lab)).some((each) => v6.test(each)) && performance.now() - began < 20_000)
      await sleep(100);
    const shown = await wanAddresses(lab);
    expect(
      shown.some((each) => /^192\.168\.178\.5\d\/24$/.test(each)) && shown.some((each) => v6.test(each)),
      'one of each family',
      shown,
    );
    await home.settled(60_000);
    const ping = await lab.moat.ping(addresses.internetHome.v6, { wait: 2000 });
    expect(ping.received === 3, 'the internet over IPv6', ping);
    return `${shown.join(' ')}, tunnel up after ${formatMs(took)}`;
  });
  return home;
}

async function killed(step: Step, lab: World, home: Moat): Promise<void> {
  await step('the client is killed: it comes back, nothing of it is left, and the tunnel does not notice', async () => {
    const before = await clients(lab);
    const flow = await Flow.start(lab.pc, lab.corp, { target: corp.v4, rateMbit: 5, seconds: 60, octets: 1200 });
    for (let round = 0; round < 3; round += 1) {
      const script =
        'for p in $(ip netns pids "$(ip netns identify)"); do grep -q dhcpcd /proc/$p/comm && kill -9 $p; done; true';
      await lab.moat.run(['sh', '-c', script]);
      await sleep(3000);
    }
    flow.end();
    const { lost, received, longestGapMs } = await flow.finish();
    expect(lost < received / 200 && longestGapMs < 500, 'no interruption', { lost, received, longestGapMs });
    const after = await clients(lab);
    expect(before > 0 && after > 0 && after <= before + 2, `about ${before} processes`, after);
    expect((await home.peer()).state === 'up', 'up', await home.status());
    return `${received} packets, ${lost} lost, longest gap ${formatMs(longestGapMs)}`;
  });
}

/** Within two minutes, which is what liveness takes where nobody tells the tunnel. */
async function reaches({ pc }: World): Promise<void> {
  const deadline = performance.now() + 120_000;
  while ((await pc.ping(corp.v4, { count: 1, wait: 200 })).received === 0) {
    if (performance.now() > deadline) throw new Error('pc does not reach corp');
  }
}

/** The new address is the kernel's matter within a moment, ours within a second; whom the tunnel then calls is the tunnel's. */
async function readdressed(lab: World, home: Moat): Promise<string> {
  const began = performance.now();
  while (!(await wanAddresses(lab)).some((each) => /^192\.168\.178\.10\d\/24$/.test(each))) {
    if (performance.now() - began > 30_000) throw new Error(`not readdressed: ${await wanAddresses(lab)}`);
    await sleep(20);
  }
  const [given, seen] = [performance.now(), Date.now()];
  const noticed = () =>
    [...home.log.matchAll(/"time":"([^"]+)"[^\n]*networkChanged/g)].some(
      ([, time = '']) => Date.parse(time) >= seen - 300,
    );
  while (!noticed()) {
    if (performance.now() - given > 1000) throw new Error('the change was not noticed within a second');
    await sleep(20);
  }
  const took = performance.now() - given;
  await reaches(lab);
  const up = performance.now() - given;
  return `noticed after ${formatMs(took)}, pc reaches corp after ${formatMs(up)}, lease after ${formatMs(given - began)}`;
}

/** The provider's modem takes 10 Mbit/s and keeps a second of it; who sends a little less never meets that queue. */
async function shortQueue(step: Step, lab: World, home: Moat, base: MoatConfig): Promise<void> {
  const fixed = { addressing: 'static', addresses: [`${moatHome.v4}/24`], gateways: [homeRouterLan.v4] };
  const modem = lab.host('home-router');
  await modem.must('tc qdisc replace dev wan root tbf rate 10mbit burst 16kb limit 1250000'.split(' '));
  const busy = async () => {
    const flow = await Flow.start(lab.pc, lab.corp, { target: corp.v4, rateMbit: 20, seconds: 60, octets: 1200 });
    await sleep(2000);
    // On a busy machine the first of them may leave late: the upload goes on until the last has come.
    const { median } = await lab.pc.ping(corp.v4, { count: 10, interval: 100, wait: 3000 });
    flow.end();
    await flow.finish();
    await sleep(1000);
    return median;
  };
  await step(
    'an upload fills the modem: with `uplinkMbit` a ping beside it takes milliseconds, not a second',
    async () => {
      const before = await busy();
      await reconfigured(home, withWild(base, { ...fixed, uplinkMbit: 8 }));
      await home.settled(60_000);
      const shaped = await lab.moat.must(['tc', 'qdisc', 'show', 'dev', 'wan']);
      const after = await busy();
      await reconfigured(home, withWild(base, fixed));
      await home.settled(60_000);
      const left = await lab.moat.must(['tc', 'qdisc', 'show', 'dev', 'wan']);
      await modem.must('tc qdisc del dev wan root'.split(' '));
      expect(before > 300 && after < 60, 'above 300 ms before, below 60 ms after', { before, after, shaped });
      expect(!/8Mbit|8000Kbit/.test(left), 'nothing left of it', left);
      return `${formatMs(before)} before, ${formatMs(after)} after (${shaped.split(' ')[1]})`;
    },
  );
}

/** RFC 2516 needs PPP in the kernel: where it is, against Debian's pppoe-server; where it is not, the box says so. */
async function pppoe(step: Step, lab: World, home: Moat, base: MoatConfig): Promise<void> {
  const config = withWild(base, {
    addressing: 'pppoe',
    pppoe: { user: 'box@provider.example', password: 'a "secret" \\ of PPPoE' },
  });
  if (existsSync('/dev/ppp') && existsSync('/usr/sbin/pppoe-server')) return overPpp(step, lab, home, config);
  await step('PPPoE on a kernel without PPP: one sentence says so, and the box heals by itself', async () => {
    const { code, stderr } = await home.reconfigure(config);
    expect(code === 0, 'a valid configuration', stderr);
    const said = (text: string) => /kernel of this box has no PPP|pppd .* is not installed/.test(text);
    const { problems } = await home.until('told', (status) => status.problems.some(said), 20_000);
    const { stdout } = await home.command('support');
    expect(!stdout.includes('of PPPoE'), 'no password in the bundle', stdout.length);
    await home.until(
      'back',
      ({ configuration, tunnel }) => configuration.state === 'settled' && tunnel?.state === 'up',
      300_000,
    );
    return problems.find(said);
  });
}

async function overPpp(step: Step, lab: World, home: Moat, config: MoatConfig): Promise<void> {
  const router = lab.host('home-router');
  await step('PPPoE: the tunnel is up over what the provider gave', async () => {
    const options = `${lab.temporary}/pppoe-server-options`;
    await router.must(['sh', '-c', `printf 'noauth\\nlcp-echo-interval 10\\nmtu 1492\\nmru 1492\\n' >${options}`]);
    const words = ['-F', '-I', 'lan', '-L', '192.168.179.1', '-R', '192.168.179.10', '-N', '4', '-O', options];
    router.start('pppoe-server', ['pppoe-server', ...words]);
    await reconfigured(home, config);
    await home.settled(110_000);
    expect((await lab.pc.ping(corp.v4)).received === 3, 'pc to reach corp', await home.status());
    return (await home.peer()).ike?.path.local.address;
  });
}
