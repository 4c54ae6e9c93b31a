/** The other end: a provider that gives an address by DHCP, the portal (the real `moat run`), and a corporate web server. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519PublicText } from '../../appliance/config/files.ts';
import { must, run } from '../lab/processes.ts';
import { Child } from './child.ts';
import { corporateAddress, lan, officeAddress, type Street } from './street.ts';

const top = join(import.meta.dirname, '../..');
export const page = 'Welcome to the corporation';

export class Office {
  readonly publicKey: string;
  readonly street: Street;
  readonly folder: string;
  #children: Child[] = [];
  #portal: Child | null = null;

  constructor(street: Street, folder: string) {
    this.street = street;
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    writeFileSync(join(folder, 'identity.key'), key, { mode: 0o600 });
    this.publicKey = ed25519PublicText(createPrivateKey(key));
  }

  /** What the corporate server gives out below /files. */
  get files(): string {
    return join(this.folder, 'files');
  }

  url(name: string): string {
    return `http://${corporateAddress}/files/${name}`;
  }

  async open(): Promise<void> {
    const dhcp = [
      'dnsmasq',
      '--no-daemon',
      '--port=0',
      '--interface=street0',
      '--bind-interfaces',
      '--no-ping',
      '--conf-file=/dev/null',
    ];
    this.start('dhcp', [
      ...dhcp,
      `--dhcp-leasefile=${this.folder}/leases`,
      '--dhcp-range=198.51.100.100,198.51.100.199,1h',
    ]);
    const server = this.start('corp', [
      process.execPath,
      join(import.meta.dirname, 'corp.ts'),
      corporateAddress,
      page,
      this.files,
    ]);
    await server.match(/listening/, 20);
  }

  /** Lets the box with this key in (base64), instead of whom it let in before. */
  async admit(publicKey: string): Promise<void> {
    writeFileSync(join(this.folder, 'portal.json'), JSON.stringify(this.#config(publicKey)));
    if (this.#portal && !this.#portal.ended) {
      process.kill(this.#portal.pid, 'SIGHUP');
      return;
    }
    const moat = join(top, 'appliance/bin/moat');
    this.#portal = this.start('portal', [
      moat,
      'run',
      '--config',
      join(this.folder, 'portal.json'),
      '--state',
      join(this.folder, 'state'),
    ]);
    await this.#portal.match(/configured/, 30);
  }

  /** Nobody answers any more: what an update meets whose tunnel does not come up. */
  async shut(): Promise<void> {
    await this.#portal?.kill('SIGTERM');
    this.#portal = null;
  }

  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) await child.kill('SIGTERM');
    this.#children = [];
  }

  /** A program of the office that runs until the office closes. */
  start(name: string, command: readonly string[]): Child {
    const child = new Child(this.street.inside('office', command), join(this.folder, `${name}.log`));
    this.#children.push(child);
    return child;
  }

  #config(publicKey: string): object {
    return {
      role: 'portal',
      name: 'portal',
      identity: { id: 'portal.moat.example', privateKeyFile: 'identity.key' },
      tunnel: { networks: ['10.1.0.0/16'], sourceAddresses: [corporateAddress] },
      peers: [{ name: 'home-1', id: 'home-1.moat.example', publicKey, networks: [lan.network] }],
    };
  }
}

/** The one file that a person edits. */
export function moatToml(portalKey: string, box = 'console = true'): string {
  return `role = "home"
name = "home-1"
[identity]
id = "home-1.moat.example"
[tunnel]
networks = ["${lan.network}"]
sourceAddresses = ["${lan.box}"]
[[peers]]
name = "portal"
addresses = ["${officeAddress}"]
id = "portal.moat.example"
publicKey = "${portalKey}"
networks = ["10.1.0.0/16"]
proofAddresses = ["${corporateAddress}"]
[box]
${box}
`;
}

export const printer = { name: 'printer.home.arpa', address: '10.77.1.9' };

/** With every service of the LAN: DHCP, DNS and NTP on the work side. `wild`: who gives the wild side its address (`addressing`). */
export function lanServices(wild: 'kept' | 'dhcp' = 'kept'): string {
  return `
[[zones]]
name = "wild"
kind = "wild"
interface = "wild0"
addressing = "${wild}"
[[zones]]
name = "work"
kind = "work"
interface = "work0"
addresses = ["${lan.box}/24"]
[dns]
listen = [{ address = "${lan.box}" }]
clients = ["${lan.network}"]
hosts = [{ name = "${printer.name}", addresses = ["${printer.address}"] }]
[ntp]
listen = ["${lan.box}"]
clients = ["${lan.network}"]
[[dhcp.networks]]
zone = "work"
interface = "work0"
address = "${lan.box}"
prefix = "${lan.network}"
dns = ["${lan.box}"]
ranges = [{ first = "10.77.1.150", last = "10.77.1.199" }]
`;
}

/** The computer on the sofa reads the corporate page. @throws {Error} when it does not come within the time. */
export async function readFromSofa(street: Street, seconds = 60): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const { stdout, stderr } = await run(
      street.inside('sofa', ['curl', '-sS', '--max-time', '10', `http://${corporateAddress}/`]),
    );
    if (stdout.includes(page)) return;
    if (performance.now() > deadline) throw new Error(`no corporate page on the sofa: ${stderr || stdout}`);
  }
}

interface Lease {
  readonly address: string;
  readonly dns: string;
  readonly answers: Readonly<Record<string, unknown>>;
}

/** The computer on the sofa asks the box for an address, a name and the time, and keeps the address. @returns it */
export async function serveSofa(street: Street): Promise<string> {
  await must(['make', '--silent', '-C', join(top, 'native/lan'), 'lan']);
  const ask = (script: string, ...words: string[]) =>
    must(street.inside('sofa', ['timeout', '60', process.execPath, join(top, script), ...words]));
  const lease = JSON.parse(await ask('test/lab/lan-client.ts', 'lan0', printer.name)) as Lease;
  assert.match(lease.address, /^10\.77\.1\.1[5-9]\d$/, 'an address of the range');
  assert.deepEqual(lease.answers[printer.name], [printer.address], `${lease.dns} knows the printer`);
  const time = JSON.parse(await ask('test/image/sofa.ts', lan.box)) as {
    mode: number;
    stratum: number;
    seconds: number;
  };
  assert.equal(time.mode, 4, 'a server answers');
  assert.ok(time.stratum > 0 && time.stratum < 16, `stratum ${time.stratum}`);
  assert.ok(Math.abs(time.seconds - Date.now() / 1000) < 3600, `${time.seconds} is about now`);
  return lease.address;
}
