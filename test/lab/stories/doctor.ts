import { join } from 'node:path';
import type { Diagnosis, Layer } from '../../../appliance/supervisor/doctor/facts.ts';
import type { Host } from '../host.ts';
import { buildAddon, Moat, type MoatConfig } from '../moat.ts';
import { homeConfig, newCredentials, portalConfig } from '../moat-pair.ts';
import { sleep } from '../processes.ts';
import { expect, type Story } from '../story.ts';
import { addresses } from '../topology.ts';
import type { World } from '../world.ts';
import { killService, portalZones, withZones } from '../zoned.ts';

interface Ward {
  readonly lab: World;
  readonly router: Host;
  readonly home: Moat;
  readonly base: MoatConfig;
  readonly state: string;
}

/** What is broken, how, and whom the doctor must blame. */
interface Fault {
  readonly what: string;
  readonly blame: Layer;
  break(ward: Ward): Promise<unknown>;
  mend(ward: Ward): Promise<unknown>;
}

const table = (rules: string) => `table inet fault { chain c { ${rules}; }; }`;
const forwarded = 'type filter hook forward priority -10;';
const arriving = 'type filter hook prerouting priority -310;';

/** A fault that is a rule in a host's kernel. */
function rule(what: string, blame: Layer, at: (ward: Ward) => Host, rules: string): Fault {
  return {
    what,
    blame,
    break: (ward) => at(ward).nft(table(rules)),
    mend: (ward) => at(ward).nft('delete table inet fault'),
  };
}

/** A fault that is a line of `ip` in a host, and the line that mends it. */
function line(what: string, blame: Layer, at: (ward: Ward) => Host, lines: readonly [string, ...string[]]): Fault {
  const [broken, ...mended] = lines;
  return { what, blame, break: (ward) => at(ward).ip(broken), mend: (ward) => at(ward).ip(...mended) };
}

function configured(what: string, blame: Layer, change: (base: MoatConfig) => object): Fault {
  return {
    what,
    blame,
    async break({ home, base }) {
      await home.reconfigure({ ...base, ...change(base) });
      // What is only asked when the tunnel is made shows when it is made anew.
      await killService(home, 'tunnel');
      await sleep(2500);
    },
    mend: ({ home, base }) => home.reconfigure(base),
  };
}

const withPeer = (change: object) => (base: MoatConfig) => ({
  peers: (base.peers as object[]).map((peer) => ({ ...peer, ...change })),
});
const bad = (what: string, impairment: Parameters<World['internet']['impair']>[0], blame: Layer): Fault => ({
  what,
  blame,
  break: ({ lab }) => lab.internet.impair(impairment),
  mend: ({ lab }) => lab.internet.clear(),
});

const box = ({ lab }: Ward) => lab.moat;
const router = (ward: Ward) => ward.router;
const internet = ({ lab }: Ward): Host => lab.internet;
const portal = ({ lab }: Ward) => lab.portal;
const corp = ({ lab }: Ward) => lab.corp;
const { moatHome, homeRouterLan, portal: portalAddress } = addresses;
const defaultRoute = `route replace default via ${homeRouterLan.v4}`;

const faults: readonly Fault[] = [
  line('no cable outside', 'link', router, ['link set lan down', 'link set lan up']),
  line('the port outside is off', 'link', box, [
    'link set wan down',
    'link set wan up',
    defaultRoute,
    `address add ${moatHome.v6}/64 dev wan`,
  ]),
  line('no lease', 'address', box, [
    'address flush dev wan scope global',
    `address add ${moatHome.v4}/24 dev wan`,
    `address add ${moatHome.v6}/64 dev wan`,
    defaultRoute,
  ]),
  line('no way out', 'router', box, ['route del default', defaultRoute]),
  line('the wrong router', 'router', box, ['route replace default via 192.168.178.99', defaultRoute]),
  rule('25 % lost on the cable outside', 'link', router, `${arriving} iifname "lan" numgen random mod 100 < 25 drop`),
  rule('the home router forwards nothing', 'provider', router, `${forwarded} drop`),
  rule('the provider is dead', 'provider', internet, `${arriving} iifname "home" drop`),
  rule('the provider loses what comes back', 'provider', router, `${arriving} iifname "wan" drop`),
  bad('10 % lost at the provider', { lossPercent: 10 }, 'provider'),
  bad('30 % lost at the provider', { lossPercent: 30 }, 'provider'),
  bad('10 % lost, in bursts, only coming back', { up: {}, down: { lossPercent: 15, lossBurst: 3 } }, 'provider'),
  {
    what: 'a captive portal',
    blame: 'provider',
    async break(ward) {
      const page = `require('http').createServer((q, a) => { a.writeHead(302, { location: 'http://login.example/' }); a.end(); }).listen(8080, () => console.log('ready'))`;
      await ward.router.start('captive', [process.execPath, '-e', page]).line(/ready/);
      await ward.router.nft(
        `table ip fault { chain c { type nat hook prerouting priority -110; iifname "lan" tcp dport 80 redirect to :8080; }; chain drops { ${forwarded} iifname "lan" drop; }; }`,
      );
    },
    mend: (ward) => ward.router.nft('delete table ip fault'),
  },
  bad('UDP blocked', { block: ['udp'] }, 'udp'),
  bad('UDP 500 and 4500 blocked', { block: ['udp:500', 'udp:4500'] }, 'udp'),
  rule('UDP 4500 eaten at home', 'udp', router, `${forwarded} udp dport 4500 drop`),
  rule('answers of UDP eaten', 'udp', internet, `${forwarded} udp sport { 500, 4500 } drop`),
  {
    what: 'no IKE at the portal',
    blame: 'portal',
    break: ({ lab }) =>
      lab.portal.nft(
        table(`type filter hook input priority -10; udp dport { 500, 4500 } reject with icmpx port-unreachable`),
      ),
    mend: ({ lab }) => lab.portal.nft('delete table inet fault'),
  },
  line('the portal is off', 'portal', portal, [
    'link set wan down',
    'link set wan up',
    'route add default via 198.51.100.1',
    `address add ${portalAddress.v6}/64 dev wan`,
  ]),
  rule("the portal's own provider is dead", 'portal', internet, `${forwarded} oifname "portal" drop`),
  rule('the portal answers nothing', 'portal', portal, `${arriving} iifname "wan" drop`),
  configured('the wrong key of the portal', 'ike', withPeer({ publicKey: Buffer.alloc(32, 9).toString('base64') })),
  configured('a name that the portal does not know', 'ike', () => ({
    identity: { ...(identity ?? {}), id: 'nobody.example' },
  })),
  configured('a portal of another name', 'ike', withPeer({ id: 'other.example' })),
  configured(
    'no algorithm in common',
    'ike',
    withPeer({ ike: { ciphers: ['chacha20-poly1305'], prfs: ['hmac-sha2-384'], keyExchanges: ['ecp256'] } }),
  ),
  configured('an address where nobody is', 'portal', withPeer({ addresses: ['198.51.100.77'] })),
  rule('ESP eaten, IKE not', 'esp', router, `${forwarded} udp dport 4500 @th,64,32 != 0 drop`),
  rule('ESP eaten coming back', 'esp', router, `${forwarded} udp sport 4500 @th,64,32 != 0 drop`),
  line("the company's server is off", 'inside', corp, [
    'link set lan down',
    'link set lan up',
    'route add default via 10.1.0.1',
    `address add ${addresses.corp.v6}/64 dev lan`,
  ]),
  line("the portal's inside is cut", 'inside', portal, [
    'link set corp down',
    'link set corp up',
    `address add ${addresses.portalCorp.v6}/64 dev corp`,
  ]),
  configured("the provider's name server is dead", 'dns', (base) => ({
    dns: { ...(base.dns as object), forward: [{ domain: '.', servers: [{ address: '203.0.113.1' }], via: 'wan' }] },
  })),
  configured("the company's name server is dead", 'dns', (base) => ({
    dns: {
      ...(base.dns as object),
      forward: [{ domain: 'corp.example', servers: [{ address: '10.1.0.53' }], via: 'tunnel' }],
    },
  })),
  {
    what: 'the disk is full',
    blame: 'disk',
    break: (ward) => overDisk(ward, 'size=4k'),
    mend: (ward) => offDisk(ward),
  },
  {
    what: 'the disk is read-only',
    blame: 'disk',
    break: (ward) => overDisk(ward, 'ro,size=16k'),
    mend: (ward) => offDisk(ward),
  },
  line('no cable at work', 'lan', ({ lab }) => lab.pc, [
    'link set lan down',
    'link set lan up',
    'route add default via 10.77.1.1',
    `address add ${addresses.pc.v6}/64 dev lan`,
  ]),
  line("no cable at the kids'", 'lan', ({ lab }) => lab.host('kids'), ['link set lan down', 'link set lan up']),
  line('the provider uses a network of the company', 'lan', box, [
    'address add 10.1.9.200/24 dev wan',
    'address del 10.1.9.200/24 dev wan',
  ]),
  configured('a configuration that is refused', 'configuration', () => ({ colour: 'red' })),
];

/** Filled in when the story starts: the section that names the key file. */
let identity: object | undefined;

/** Something else lies where moat sees its disk. */
async function overDisk({ home, lab, state }: Ward, options: string): Promise<void> {
  const pid = `${home.process.child.pid}`;
  await lab.moat.must(['nsenter', '-t', pid, '-m', 'mount', '-t', 'tmpfs', '-o', options, 'tmpfs', state]);
}

async function offDisk({ home, lab, state }: Ward): Promise<void> {
  await lab.moat.must(['nsenter', '-t', `${home.process.child.pid}`, '-m', 'umount', state]);
}

export const story: Story = {
  name: 'doctor',
  summary: `${faults.length} faults, one after the other: the sentence names the layer that is at fault`,
  async run({ world, step }) {
    const lab = await world({ nat: true, kids: true });
    await buildAddon();
    const credentials = newCredentials();
    const base: MoatConfig = { ...withZones(homeConfig(lab, credentials)), proof: { pings: [addresses.corp.v4] } };
    identity = base.identity as object;
    await Moat.start(lab.portal, { config: portalZones(portalConfig(lab, credentials, onlyAes), ['ping']) });
    const home = await Moat.start(lab.moat, { config: base });
    await home.up();
    const ward = {
      lab,
      router: lab.host('home-router'),
      home,
      base,
      state: join(lab.temporary, 'moat-moat-2', 'state'),
    };
    await step('nothing is wrong, and the doctor says so', async () => {
      const { layer, sentence } = await examined(ward);
      expect(layer === 'none', 'none', sentence);
      return sentence;
    });
    const wrong: string[] = [];
    const chosen = faults.filter(({ what }) => new RegExp(process.env.MOAT_LAB_FAULTS ?? '').test(what));
    for (const fault of chosen) {
      await step(fault.what, async () => {
        await well(ward);
        await fault.break(ward);
        const { layer, sentence } = await examined(ward).finally(() => fault.mend(ward));
        if (layer !== fault.blame) wrong.push(fault.what);
        return `${layer === fault.blame ? layer : `NOT ${fault.blame} BUT ${layer}`}: ${sentence}`;
      });
    }
    await step('at least 95 % of the sentences are right', async () => {
      expect(wrong.length <= chosen.length * 0.05, 'at most 5 % wrong', wrong);
      return `${chosen.length - wrong.length} of ${chosen.length}`;
    });
  },
};

async function examined({ home }: Ward): Promise<Diagnosis> {
  const { stdout, stderr } = await home.command('doctor', '--json');
  if (!stdout.startsWith('{')) throw new Error(`no diagnosis: ${stderr}`);
  return JSON.parse(stdout) as Diagnosis;
}

/** A new tunnel service calls at once; the old one may be in a long pause. */
async function well({ home, lab }: Ward): Promise<void> {
  if ((await lab.moat.ping(addresses.corp.v4, { count: 2, wait: 500 })).received === 2) return;
  await killService(home, 'tunnel');
  await sleep(500);
  await home.up(30_000);
}

const onlyAes = { peer: { ike: { ciphers: ['aes-256-gcm-16'] } } };
