import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must, run, sleep } from '../../lab/processes.ts';

/** Addresses of the little world: corporate servers behind one cable, the house behind another. */
export const addresses = {
  bind: '10.9.0.1',
  nsd: '10.9.0.2',
  knot: '10.9.0.3',
  /** A second BIND, whose zones are signed. */
  signer: '10.9.0.4',
  /** A second Knot, which makes a catalog of its zones. */
  cataloger: '10.9.0.5',
  dnsmasq: '192.168.77.2',
  box: '192.168.77.1',
  pc: '192.168.77.50',
} as const;

export type HostName = 'corp' | 'home' | 'pc';

/** Three network namespaces (corp - home - pc), a root with other people's programs, and what was started in them. */
export class World {
  readonly root: string;
  /** A folder in the root: `inside` as programs in the chroot see it, `folder` as we do. */
  readonly inside: string;
  readonly folder: string;
  readonly #prefix: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(root: string, prefix: string) {
    this.root = root;
    this.#prefix = prefix;
    this.inside = `/tmp/${prefix}`;
    this.folder = join(root, this.inside);
  }

  static async create(root: string, name: string): Promise<World> {
    const world = new World(root, `moat-${name}-${process.pid}`);
    mkdirSync(world.folder, { recursive: true, mode: 0o777 });
    try {
      await world.#build();
    } catch (error) {
      await world.destroy();
      throw error;
    }
    return world;
  }

  namespace(host: HostName): string {
    return `${this.#prefix}-${host}`;
  }

  async #build(): Promise<void> {
    for (const host of ['corp', 'home', 'pc'] as const) {
      await must(['ip', 'netns', 'add', this.namespace(host)]);
      await this.ip(host, 'link set lo up');
    }
    const { bind, nsd, knot, signer, cataloger, dnsmasq, box, pc } = addresses;
    await this.#cable('corp', 'home', 'wan');
    await this.#cable('home', 'pc', 'lan');
    for (const address of [bind, nsd, knot, signer, cataloger])
      await this.ip('corp', `address add ${address}/24 dev wan`);
    await this.ip('home', 'address add 10.9.0.254/24 dev wan');
    for (const address of [box, dnsmasq]) await this.ip('home', `address add ${address}/24 dev lan`);
    await this.ip('pc', `address add ${pc}/24 dev lan`);
    await must(['ip', 'netns', 'exec', this.namespace('home'), 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await this.ip('corp', 'route add 192.168.77.0/24 via 10.9.0.254');
    await this.ip('pc', `route add default via ${box}`);
  }

  async #cable(left: HostName, right: HostName, name: string): Promise<void> {
    const [a, b] = [this.namespace(left), this.namespace(right)];
    await must(['ip', 'link', 'add', name, 'netns', a, 'type', 'veth', 'peer', 'name', name, 'netns', b]);
    await this.ip(left, `link set ${name} up`);
    await this.ip(right, `link set ${name} up`);
  }

  ip(host: HostName, words: string): Promise<string> {
    return must(['ip', '-n', this.namespace(host), ...words.split(' ')]);
  }

  /** What runs `command` in a host, from inside the root. */
  wrap(host: HostName, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace(host), 'chroot', this.root, ...command];
  }

  /** Runs a program of the root to its end. @throws {Error} unless it exits 0. */
  must(host: HostName, command: readonly string[], timeout = 60_000): Promise<string> {
    return must(this.wrap(host, command), { timeout });
  }

  run(host: HostName, command: readonly string[]): ReturnType<typeof run> {
    return run(this.wrap(host, command));
  }

  /** Starts a program of the root that stays. What it says is kept and printed if it ends by itself. */
  start(host: HostName, command: readonly string[]): ChildProcess {
    return this.spawn(this.wrap(host, command), command[0] ?? '');
  }

  spawn(command: readonly string[], name: string, ipc = false): ChildProcess {
    const [file = '', ...rest] = command;
    const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc' as const] : [])] });
    let said = '';
    const keep = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('exit', (code) => {
      if (this.#children.delete(child)) console.error(`${name} ended by itself (${code}):\n${said}`);
    });
    this.#children.add(child);
    return child;
  }

  /** Ends one program and waits until it is gone. */
  async stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const forced = setTimeout(() => child.kill('SIGKILL'), 3000);
    await gone;
    clearTimeout(forced);
  }

  /** Whoever is still in it was started by what we started, and holds our pipes: chronyd, which faketime leaves behind. */
  async #remove(host: HostName): Promise<void> {
    const { stdout } = await run(['ip', 'netns', 'pids', this.namespace(host)]);
    for (const pid of stdout.split('\n').filter((line) => line !== '')) await run(['kill', '-KILL', pid]);
    await run(['ip', 'netns', 'delete', this.namespace(host)]);
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.stop(child)));
    for (const host of ['corp', 'home', 'pc'] as const) await this.#remove(host);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Polls until `probe` gives something. @returns it and the milliseconds it took. @throws {Error} after `patience` ms. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  patience = 10_000,
): Promise<{ value: T; took: number }> {
  const began = performance.now();
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return { value, took: performance.now() - began };
    if (performance.now() - began > patience) throw new Error(`${what}: not within ${patience} ms`);
    await sleep(5);
  }
}
