/** A house whose LAN services run under the real supervisor, and other people's servers that they stand on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Place } from '../interop/dhcp/clients.ts';
import { lanPeers } from '../interop/dns/recipe.ts';
import { zoneText } from '../interop/dns/zone-text.ts';
import { root } from '../interop/roots.ts';
import type { Host } from './host.ts';
import { buildAddon, Moat, type MoatConfig } from './moat.ts';
import { type Credentials, homeConfig, newCredentials, portalConfig, type Wishes } from './moat-pair.ts';
import { until } from './processes.ts';
import type { Running } from './running.ts';
import type { Stage } from './story.ts';
import { addresses } from './topology.ts';
import type { World } from './world.ts';

const { corp, internetHome, moatKids, moatLan } = addresses;

/** The company's zone of 10,000 records, on a BIND in the company; and the key of its transfers. */
export const corpZone = 'corp.example';
const key = { name: 'moat-home', secret: Buffer.alloc(32, 'moat').toString('base64') } as const;
export const firstSerial = 2026112201;
/** Everything below it exists, on a BIND at the provider's end of the WAN. */
export const publicZone = 'public.example';
export const publicAddress = '203.0.113.82';

const bindOptions = (folder: string, address: string) => `
key ${key.name} { algorithm hmac-sha256; secret "${key.secret}"; };
options {
  directory "${folder}"; listen-on { ${address}; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
  recursion no; minimal-responses yes; dnssec-validation no; notify-delay 0; check-names primary ignore;
};
controls { };
`;

const corpZoneBlock = (folder: string) => `
zone "${corpZone}" {
  type primary; file "${folder}/zone.text"; ixfr-from-differences yes; journal "${folder}/zone.jnl";
  allow-transfer { key ${key.name}; }; notify explicit; also-notify { ${moatLan.v4} key ${key.name}; };
};
`;

const rootText = `$TTL 300
@ IN SOA ns. nobody. 1 3600 600 604800 30
@ IN NS ns.
ns. IN A ${internetHome.v4}
*.${publicZone}. IN A ${publicAddress}
`;

/** Programs of others, in a root that hosts of the lab run them in. */
class Programs {
  readonly path: string;
  readonly #name: string;

  constructor(path: string, name: string) {
    this.path = path;
    this.#name = name;
    mkdirSync(this.folder(''), { recursive: true });
  }

  /** A folder as we see it, and as the programs do. */
  folder(name: string): string {
    return `${this.path}${this.inside(name)}`;
  }

  inside(name: string): string {
    return `/tmp/${this.#name}/${name}`;
  }

  command(...words: readonly string[]): string[] {
    return ['chroot', this.path, ...words];
  }

  /** Without the root around it: for those who may not change theirs. */
  direct(program: string): string[] {
    const [triplet, loader] =
      process.arch === 'arm64'
        ? ['aarch64-linux-gnu', 'lib/ld-linux-aarch64.so.1']
        : ['x86_64-linux-gnu', 'lib64/ld-linux-x86-64.so.2'];
    const libraries = `${this.path}/lib/${triplet}:${this.path}/usr/lib/${triplet}`;
    return [`${this.path}/${loader}`, '--library-path', libraries, `${this.path}${program}`];
  }

  remove(): void {
    rmSync(this.folder(''), { recursive: true, force: true });
  }
}

export interface Dug {
  readonly status: string;
  /** Data of the answer's records. */
  readonly data: readonly string[];
  /** The extended error (RFC 8914), empty without one. */
  readonly reason: string;
  /** Milliseconds from question to answer, as dig measured them. */
  readonly took: number;
}

/** What the stories `dhcp`, `dns`, `ntp` and `offline` have in common. */
export class House {
  readonly lab: World;
  readonly #programs: Programs;
  readonly #credentials: Credentials = newCredentials();
  #bind: Running | undefined;
  #instances = 0;

  private constructor(lab: World, programs: Programs) {
    this.lab = lab;
    this.#programs = programs;
  }

  /** Builds it, plays `story` in it and clears away what is outside of the world. Nobody's moat is started yet. */
  static async with(stage: Stage, story: (house: House) => Promise<void>): Promise<void> {
    const path = await root(lanPeers);
    const lab = await stage.world({ kids: true });
    await buildAddon();
    const house = new House(lab, new Programs(path, lab.id));
    try {
      await house.#startServers();
      await story(house);
    } finally {
      await lab.down();
      house.#programs.remove();
    }
  }

  /** `changes`: sections that a story wants different. */
  config(changes: MoatConfig = {}): MoatConfig {
    const own = ({ v4, v6 }: { v4: string; v6: string }) => [`${v4}/24`, `${v6}/64`];
    return {
      ...homeConfig(this.lab, this.#credentials),
      zones: [
        { name: 'wild', kind: 'wild', interface: 'wan' },
        { name: 'work', kind: 'work', interface: 'lan', addresses: own(moatLan) },
        { name: 'kids', kind: 'kids', interface: 'kids', addresses: own(moatKids) },
      ],
      dhcp: { networks: [network('work', 'lan', '10.77.1'), network('kids', 'kids', '10.77.2')] },
      dns: {
        listen: [{ address: moatLan.v4 }, { address: moatKids.v4 }],
        clients: ['10.77.1.0/24', '10.77.2.0/24'],
        reverse: ['10.77.1.0/24', '10.77.2.0/24'],
        hosts: [{ name: 'box', addresses: [moatLan.v4] }],
        keys: [key],
        zones: [{ name: corpZone, primaries: [{ address: corp.v4, key: key.name }], source: moatLan.v4 }],
        forward: [{ domain: '.', servers: [{ address: internetHome.v4 }] }],
      },
      ntp: {
        listen: [moatLan.v4],
        interface: 'lan',
        clients: ['10.77.1.0/24'],
        sources: [{ host: corp.v4, minPoll: 0, maxPoll: 0 }],
        steersClock: false,
        user: 'root',
        daemonCommand: this.#programs.direct('/usr/sbin/chronyd'),
        clientCommand: this.#programs.direct('/usr/bin/chronyc'),
      },
      ...changes,
    };
  }

  async startPortal(wishes: Wishes = {}): Promise<Moat> {
    return Moat.start(this.lab.portal, { config: portalConfig(this.lab, this.#credentials, wishes) });
  }

  /** As a box that has been started before in its life: sources are compiled, the company's zone is on its disk. */
  async startHome(changes: MoatConfig = {}): Promise<Moat> {
    const home = await Moat.start(this.lab.moat, { config: this.config(changes) });
    await home.settled(60_000);
    await until("the company's zone", 20_000, async () => (await this.serial()) === firstSerial);
    await home.stop();
    return home.startAgain();
  }

  /** Another version of the company's zone; its BIND tells its secondaries. */
  publish(serial: number, edited: number): void {
    writeFileSync(`${this.#programs.folder('corp')}/zone.text`, zoneText(serial, edited));
    if (edited > 0) this.#bind?.child.kill('SIGHUP');
  }

  /** The serial of the company's zone, as `server` has it. */
  async serial(server: string = moatLan.v4, from: Host = this.lab.pc): Promise<number | undefined> {
    const { data } = await this.dig(`${corpZone} SOA`, { server, from });
    const serial = data[0]?.split(' ')[2];
    return serial === undefined ? undefined : Number(serial);
  }

  /** One question (`name type`), asked once; status is empty when no answer came within `seconds`. */
  async dig(question: string, how: { server?: string; from?: Host; seconds?: number } = {}): Promise<Dug> {
    const { server = moatLan.v4, from = this.lab.pc, seconds = 2 } = how;
    const options = [`+time=${seconds}`, '+tries=1', '+nocookie', '+noall', '+comments', '+answer', '+stats'];
    const words = ['dig', `@${server}`, ...question.split(' '), ...options];
    const { stdout } = await from.run(this.#programs.command(...words), { timeout: 30_000 });
    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
    return {
      status: /status: (\w+)/.exec(stdout)?.[1] ?? '',
      data: lines.map((line) => line.split(/\s+/).slice(4).join(' ')),
      reason: /^; EDE: (.*)$/m.exec(stdout)?.[1] ?? '',
      took: Number(/Query time: (\d+) msec/.exec(stdout)?.[1] ?? Number.NaN),
    };
  }

  /** Seconds by which the clock that `server` serves is away from the kernel's; not a number when it does not answer. */
  async askTime(server: string, from: Host): Promise<number> {
    const words = ['/usr/sbin/chronyd', '-Q', '-t', '2', '-U', `server ${server} iburst maxsamples 1`];
    const { stdout, stderr } = await from.run(this.#programs.command(...words));
    return Number(/System clock wrong by (-?[\d.]+) seconds/.exec(stdout + stderr)?.[1] ?? Number.NaN);
  }

  /** A chronyd of others, which never touches the clock; the command that asks it. */
  startChronyd(host: Host, lines: readonly string[]): readonly string[] {
    this.#instances += 1;
    const name = `chrony-${this.#instances}`;
    mkdirSync(this.#programs.folder(name), { mode: 0o750 });
    const inside = this.#programs.inside(name);
    const own = [`pidfile ${inside}/pid`, 'cmdport 0', `bindcmdaddress ${inside}/sock`];
    writeFileSync(`${this.#programs.folder(name)}/conf`, [...lines, ...own, ''].join('\n'));
    host.start(name, this.#programs.command('/usr/sbin/chronyd', '-d', '-x', '-u', 'root', '-f', `${inside}/conf`));
    return this.#programs.command('/usr/bin/chronyc', '-h', `${inside}/sock`, '-c', '-n');
  }

  /** A folder for clients' files, gone with the world. */
  get directory(): string {
    const path = `${this.lab.temporary}/clients`;
    mkdirSync(path, { recursive: true });
    return path;
  }

  async #startServers(): Promise<void> {
    for (const name of ['corp', 'internet']) mkdirSync(this.#programs.folder(name));
    this.publish(firstSerial, 0);
    writeFileSync(`${this.#programs.folder('internet')}/root.text`, rootText);
    const inside = (name: string) => this.#programs.inside(name);
    const publicBlock = `zone "." { type primary; file "${inside('internet')}/root.text"; notify no; };\n`;
    this.#bind = this.#startBind(this.lab.corp, 'corp', corp.v4, corpZoneBlock(inside('corp')));
    this.#startBind(this.lab.internet, 'internet', internetHome.v4, publicBlock);
    this.startChronyd(this.lab.corp, ['local stratum 3', 'allow']);
    await until("the company's BIND", 10_000, async () => (await this.serial(corp.v4, this.lab.corp)) === firstSerial);
  }

  #startBind(host: Host, name: string, address: string, zones: string): Running {
    const inside = this.#programs.inside(name);
    writeFileSync(`${this.#programs.folder(name)}/named.conf`, bindOptions(inside, address) + zones);
    return host.start('named', this.#programs.command('/usr/sbin/named', '-g', '-c', `${inside}/named.conf`));
  }
}

const leaseSeconds = 600;

function network(zone: string, device: string, start: string): object {
  const [prefix, address] = [`${start}.0/24`, `${start}.1`];
  const ranges = [{ first: `${start}.150`, last: `${start}.199` }];
  return { zone, interface: device, address, prefix, ranges, leaseSeconds, dns: [address], ntp: [address] };
}

/** A lab host as other people's DHCP clients want it: its LAN interface without an address. */
export async function placeOf(host: Host): Promise<Place> {
  await host.ip('address flush dev lan scope global');
  return {
    name: host.name,
    device: 'lan',
    spawn: (command): ChildProcess => {
      const [file = '', ...rest] = ['setpriv', '--pdeathsig', 'KILL', ...host.inside(command)];
      return spawn(file, rest, { stdio: 'ignore' });
    },
    in: (...command) => host.must(command),
  };
}

/** The IPv4 addresses of a host's LAN interface. */
export async function addressesOf(host: Host): Promise<string[]> {
  const links = JSON.parse(await host.must(['ip', '-4', '-j', 'address', 'show', 'lan'])) as {
    addr_info: { local: string }[];
  }[];
  return (links[0]?.addr_info ?? []).map(({ local }) => local);
}
