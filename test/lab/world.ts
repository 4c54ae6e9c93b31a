import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Host } from './host.ts';
import { Internet } from './internet.ts';
import { identify, must, type ProcessId } from './processes.ts';
import { requireMachine } from './requirements.ts';
import type { Home } from './running.ts';
import { clearDeadWorlds, clearWorld, listStates, saveState, type WorldState } from './state.ts';
import {
  addresses,
  type HostPlan,
  hostCommands,
  linkCommands,
  serverKinds,
  sysctls,
  type Topology,
  type TopologyOptions,
  topologyOf,
} from './topology.ts';

export interface WorldOptions extends TopologyOptions {
  /** Names the run's directory. */
  readonly name?: string;
}

const runsDirectory = fileURLToPath(new URL('../../.runs/', import.meta.url));
const keptRuns = 10;
const living = new Set<World>();

/** The world of the picture in README.md, made of network namespaces. */
export class World implements Home {
  readonly id: string;
  readonly options: WorldOptions;
  readonly addresses = addresses;
  readonly runDirectory: string;
  readonly temporary: string;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly pc: Host;
  readonly moat: Host;
  readonly internet: Internet;
  readonly portal: Host;
  readonly corp: Host;
  readonly #topology: Topology;
  #state: WorldState;
  #building: Promise<void> = Promise.resolve();
  #down: Promise<void> | undefined;

  private constructor(options: WorldOptions) {
    this.id = `w${randomBytes(3).toString('hex')}`;
    this.options = options;
    this.#topology = topologyOf(options);
    const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
    this.runDirectory = join(runsDirectory, `${stamp}-${options.name ?? 'world'}-${this.id}`);
    mkdirSync(this.runDirectory, { recursive: true });
    this.temporary = mkdtempSync('/tmp/moat-lab-');
    const namespaces = Object.fromEntries(this.#topology.hosts.map(({ name }) => [name, `${this.id}-${name}`]));
    const internet = new Internet('internet', `${this.id}-internet`, this);
    const hosts = Object.entries(namespaces).map(([name, space]) => new Host(name, space, this));
    this.hosts = new Map(hosts.map((host) => [host.name, host.name === 'internet' ? internet : host]));
    this.internet = internet;
    this.pc = this.host('pc');
    this.moat = this.host('moat');
    this.portal = this.host('portal');
    this.corp = this.host('corp');
    const owner = identify(process.pid);
    if (!owner) throw new Error('this process is not in /proc');
    const { id, runDirectory, temporary } = this;
    const startedAt = new Date().toISOString();
    this.#state = { id, owner, startedAt, namespaces, processes: [], runDirectory, temporary };
  }

  /** Builds a world. @throws {Error} with one clear sentence when the machine cannot; nothing is left then. */
  static async up(options: WorldOptions = {}): Promise<World> {
    await requireMachine();
    await clearDeadWorlds();
    const world = new World(options);
    saveState(world.#state);
    living.add(world);
    try {
      world.#building = world.#build().then(() => world.#startServers());
      await world.#building;
    } catch (error) {
      await world.down();
      throw error;
    }
    pruneRuns();
    return world;
  }

  /** The living worlds of this process: what a signal has to take down. */
  static async allDown(): Promise<void> {
    await Promise.all([...living].map((world) => world.down()));
  }

  /** @throws {Error} when the world has no such host. */
  host(name: string): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`there is no host '${name}': ${[...this.hosts.keys()].join(', ')}`);
    return host;
  }

  down(): Promise<void> {
    this.#down ??= this.#clear();
    return this.#down;
  }

  /** A signal may come while it is being built; what is cleared before it is there would stay. */
  async #clear(): Promise<void> {
    await this.#building.catch(() => undefined);
    await clearWorld(this.#state);
    living.delete(this);
  }

  adopt(process: ProcessId): void {
    this.#remember([...this.#state.processes, process]);
  }

  disown(process: ProcessId): void {
    this.#remember(this.#state.processes.filter(({ pid }) => pid !== process.pid));
  }

  #remember(processes: readonly ProcessId[]): void {
    this.#state = { ...this.#state, processes };
    if (!this.#down) saveState(this.#state);
  }

  async #build(): Promise<void> {
    const { hosts } = this.#topology;
    const space = (name: string) => this.host(name).namespace;
    const batch = (lines: string[]) => must(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    this.#writeNames();
    await batch(hosts.map(({ name }) => `netns add ${space(name)}`));
    await Promise.all(hosts.map((host) => this.#settle(host)));
    await batch(linkCommands(this.#topology, space));
    await Promise.all(hosts.map((host) => this.host(host.name).ip(...hostCommands(this.#topology, host))));
    if (this.options.offload === false) await this.#switchOffloadOff();
  }

  /** What must be there before the first interface: sysctls and the firewall. */
  async #settle(host: HostPlan): Promise<void> {
    const lines = Object.entries(sysctls(host)).map(([key, value]) => `echo ${value} >/proc/sys/net/${key}`);
    const script = `set -e\n${lines.join('\n')}\n`;
    await this.host(host.name).must(['sh', '-s'], { input: script });
    if (host.nftables) await this.host(host.name).nft(host.nftables);
  }

  async #switchOffloadOff(): Promise<void> {
    const ends = this.#topology.links.flatMap((link) => link.ends);
    await Promise.all(
      ends.map(({ host, interface: device }) =>
        this.host(host).must([
          'ethtool',
          '-K',
          device,
          'tso',
          'off',
          'gso',
          'off',
          'gro',
          'off',
          'tx-udp-segmentation',
          'off',
        ]),
      ),
    );
  }

  /** `ip netns exec` shows each host these as its /etc/hosts and /etc/resolv.conf. */
  #writeNames(): void {
    const { pc, moatLan, portal, corp } = addresses;
    const names = Object.entries({ pc, moat: moatLan, portal, corp });
    const lines = names.flatMap(([name, { v4, v6 }]) => [`${v4} ${name}`, `${v6} ${name}`]);
    for (const { namespace } of this.hosts.values()) {
      mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
      writeFileSync(`/etc/netns/${namespace}/hosts`, `127.0.0.1 localhost\n::1 localhost\n${lines.join('\n')}\n`);
      writeFileSync(`/etc/netns/${namespace}/resolv.conf`, '');
    }
  }

  async #startServers(): Promise<void> {
    const script = fileURLToPath(new URL('corp-server.ts', import.meta.url));
    const names = ['corp', ...(this.options.servers ? serverKinds : [])];
    await Promise.all(
      names.map((name) =>
        this.host(name)
          .start('server', [process.execPath, script])
          .line(/^ready$/),
      ),
    );
  }
}

/** Keeps the newest runs and those of worlds that live. */
function pruneRuns(): void {
  const inUse = new Set(listStates().map((state) => state.runDirectory));
  const runs = readdirSync(runsDirectory)
    .map((name) => join(runsDirectory, name))
    .filter((path) => statSync(path).isDirectory() && !inUse.has(path))
    .sort();
  for (const path of runs.slice(0, Math.max(0, runs.length - keptRuns))) rmSync(path, { recursive: true, force: true });
}
