import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/host.ts';
/** A moat and a strongSwan that face each other, with any number of agreements between them: a row each. */
import { Moat, type MoatConfig } from '../../lab/moat.ts';
import { World, type WorldOptions } from '../../lab/world.ts';
import type { RootRecipe } from '../roots.ts';
import { StrongSwan } from '../strongswan.ts';
import { type Connection, type DaemonOptions, newEd25519 } from '../swanctl-conf.ts';

/** What strongSwan does: it is called by our home, or calls our portal. */
export type Role = 'called' | 'calls';

/** One agreement: a peer of ours and a connection of theirs. What is not said is the default of each. */
export interface Row {
  readonly name: string;
  readonly auth?: 'ed25519' | 'psk' | 'x509';
  /** Fields of `peers[]` in our configuration. */
  readonly moat?: object;
  readonly swan?: Partial<Connection>;
}

export interface Setup {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly world?: WorldOptions;
  readonly daemon?: DaemonOptions;
  /** Prepares the world before anything runs in it, and says what every row gets besides. */
  readonly prepare?: (bench: Bench) => Promise<Amendment | undefined>;
}

export interface Amendment {
  /** Fields of our `identity`. */
  readonly identity?: object;
  readonly moat?: object;
  readonly swan?: (row: Row) => Partial<Connection>;
}

/** Addresses on the loopback interfaces of both ends: each row has a network of its own behind strongSwan. */
export const behindMoat = { network: '10.90.0.0/24', address: '10.90.0.1' };
export const behindSwan = (row: number) => ({ network: `10.91.${row}.0/24`, address: `10.91.${row}.1` });

export const moatId = 'moat.example';
export const swanId = (row: Pick<Row, 'name'>) => `${row.name}.swan.example`;
const secretOf = (row: Row) => `a long secret of ${row.name}`;

export class Bench {
  readonly lab: World;
  readonly role: Role;
  readonly setup: Setup;
  readonly recipe: RootRecipe;
  readonly #keys: Keys = { moat: newEd25519(), swan: newEd25519() };
  #amendment: Amendment = {};
  #moat: Moat | null = null;
  #swan: StrongSwan | null = null;

  private constructor(lab: World, setup: Setup, role: Role, recipe: RootRecipe) {
    this.lab = lab;
    this.role = role;
    this.setup = setup;
    this.recipe = recipe;
  }

  /** Builds the world and both ends, and has all agreements made. */
  static async up(setup: Setup, role: Role, recipe: RootRecipe): Promise<Bench> {
    const lab = await World.up({ name: 'interop', ...setup.world });
    const bench = new Bench(lab, setup, role, recipe);
    try {
      bench.#amendment = (await setup.prepare?.(bench)) ?? {};
      await addLoopback(bench.moatHost, [behindMoat.address]);
      const theirs = setup.rows.map((_, i) => behindSwan(i + 1).address);
      await addLoopback(bench.swanHost, theirs);
      await Promise.all([bench.startSwan(), bench.startMoat()]);
      await bench.connect();
      return bench;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  get moat(): Moat {
    if (!this.#moat) throw new Error('moat does not run');
    return this.#moat;
  }

  get swan(): StrongSwan {
    if (!this.#swan) throw new Error('strongSwan does not run');
    return this.#swan;
  }

  get moatHost(): Host {
    return this.role === 'called' ? this.lab.moat : this.lab.portal;
  }

  get swanHost(): Host {
    return this.role === 'called' ? this.lab.portal : this.lab.moat;
  }

  async startMoat(): Promise<void> {
    this.#moat = await Moat.start(this.moatHost, { config: this.config() });
  }

  async startSwan(): Promise<void> {
    const { daemon } = this.setup;
    this.#swan = await StrongSwan.start(this.swanHost, this.connections(), { ...daemon, recipe: this.recipe });
  }

  /** Who calls does so, as often as it takes; all are up afterwards. */
  async connect(): Promise<void> {
    if (this.role === 'calls') for (const { name } of this.setup.rows) await this.swan.initiate(name, childOf(name));
    await this.moat.up(60_000);
  }

  async down(): Promise<void> {
    await this.lab.down();
  }

  /** From each end's own address behind it to the other's. */
  async ping(row: number, options: { count?: number; size?: number } = {}): Promise<string> {
    const there = await pingFrom(this.moatHost, behindMoat.address, behindSwan(row).address, options);
    await pingFrom(this.swanHost, behindSwan(row).address, behindMoat.address, options);
    return there;
  }

  #address(host: 'moat' | 'swan'): string {
    const { moatDirect, portal } = this.lab.addresses;
    return (host === 'moat') === (this.role === 'called') ? moatDirect.v4 : portal.v4;
  }

  /** Ours; `wishes` and `peer` for what a case wants besides. */
  config(wishes: object = {}, peer: object = {}): MoatConfig {
    const keys = this.#keys;
    const { identity, moat } = this.#amendment;
    const home = this.role === 'called';
    const privateKeyFile = join(this.lab.temporary, 'moat.key');
    writeFileSync(privateKeyFile, keys.moat.privateKeyPem, { mode: 0o600 });
    return {
      role: home ? 'home' : 'portal',
      name: 'moat',
      identity: { id: moatId, privateKeyFile, ...identity },
      tunnel: { networks: [behindMoat.network], sourceAddresses: [behindMoat.address] },
      peers: this.setup.rows.map((row, i) => ({
        name: row.name,
        id: swanId(row),
        ...(home ? { addresses: [this.#address('swan')] } : {}),
        networks: [behindSwan(i + 1).network],
        ...(row.auth === 'psk'
          ? { psk: secretOf(row) }
          : row.auth === 'x509'
            ? {}
            : { publicKey: keys.swan.publicKey }),
        ...row.moat,
        ...moat,
        ...peer,
      })),
      ...wishes,
    };
  }

  /** Theirs. */
  connections(): Record<string, Connection> {
    return Object.fromEntries(this.setup.rows.map((row, i) => [row.name, this.#connection(row, i + 1)]));
  }

  #connection(row: Row, number: number): Connection {
    const keys = this.#keys;
    return {
      localId: swanId(row),
      remoteId: moatId,
      localAddress: '%any',
      ...(this.role === 'calls' ? { remoteAddress: this.#address('moat') } : {}),
      credentials:
        row.auth === 'psk'
          ? { kind: 'psk', secret: secretOf(row) }
          : { kind: 'ed25519', privateKeyPem: keys.swan.privateKeyPem, peerPublicKeyPem: keys.moat.publicKeyPem },
      localNetworks: [behindSwan(number).network],
      remoteNetworks: [behindMoat.network],
      childName: childOf(row.name),
      ...row.swan,
      ...this.#amendment.swan?.(row),
    };
  }
}

interface Keys {
  readonly moat: ReturnType<typeof newEd25519>;
  readonly swan: ReturnType<typeof newEd25519>;
}

/** strongSwan makes no tunnel for a network in which its host has no address. */
export function addLoopback(host: Host, addresses: readonly string[]): Promise<void> {
  return host.ip(...addresses.map((address) => `address add ${address}/32 dev lo`));
}

/** What strongSwan calls the child of a row. */
export const childOf = (row: string) => `${row}-net`;

/** strongSwan answers first and lets packets through a little later, the later the busier the machine is. */
const pingTries = 6;

async function pingFrom(
  host: Host,
  from: string,
  to: string,
  { count = 3, size = 84 }: { count?: number; size?: number },
): Promise<string> {
  const words = ['ping', '-n', '-I', from, '-c', `${count}`, '-i', '0.02', '-W', '1', '-s', `${size - 28}`, to];
  let said = '';
  for (let tries = 0; tries < pingTries; tries += 1) {
    const { stdout } = await host.run(words);
    said = stdout;
    if (stdout.includes(`${count} received`)) return `${/= [\d.]+\/([\d.]+)/.exec(stdout)?.[1] ?? '?'} ms`;
  }
  throw new Error(`${host.name}: ${from} does not reach ${to}: ${said.trim().split('\n').at(-1)}`);
}
