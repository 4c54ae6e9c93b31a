import { join } from 'node:path';
import type { Host } from '../lab/host.ts';
import { must, run, sleep } from '../lab/processes.ts';
import type { Running } from '../lab/running.ts';
import { type RootRecipe, root } from './roots.ts';
import { type Connection, type DaemonOptions, writeConfiguration } from './swanctl-conf.ts';
import { ikeSa, type PeerIkeSa } from './swanctl-sas.ts';
import { isSection, parseVici } from './vici.ts';

const packages = [
  'charon-systemd',
  'strongswan-swanctl',
  'strongswan-pki',
  'libcharon-extra-plugins',
  'libcharon-extauth-plugins',
  'libstrongswan-standard-plugins',
  'libstrongswan-extra-plugins',
  'iproute2',
  'iputils-ping',
  'procps',
];

export const strongswan598: RootRecipe = { name: 'strongswan-5.9.8', suite: 'bookworm', packages };
/** The one with ML-KEM. */
export const strongswan610: RootRecipe = { name: 'strongswan-6.1.0', suite: 'sid', packages };

/** A strongSwan in a lab host: its own overlay over a shared root, in the host's network namespace. */
export class StrongSwan {
  readonly host: Host;
  readonly process: Running;

  private constructor(host: Host, process: Running) {
    this.host = host;
    this.process = process;
  }

  /** Starts the daemon and loads its connections, by name. */
  static async start(
    host: Host,
    connections: Readonly<Record<string, Connection>>,
    options: DaemonOptions & { readonly recipe?: RootRecipe } = {},
  ): Promise<StrongSwan> {
    const lower = await root(options.recipe ?? strongswan598);
    const folder = join(host.home.temporary, `strongswan-${host.name}-${Date.now()}`);
    writeConfiguration(join(folder, 'config'), connections, options);
    const process = host.start('strongswan', [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-ec',
      startScript,
      'sh',
      lower,
      folder,
    ]);
    const daemon = new StrongSwan(host, process);
    await daemon.#waitForControl();
    await daemon.swanctl('--load-all', '--noprompt');
    return daemon;
  }

  /** @throws {Error} with what swanctl said unless it succeeded. */
  swanctl(...parameters: readonly string[]): Promise<string> {
    return must(this.#inside(['swanctl', ...parameters]));
  }

  async initiate(connection: string, child = 'net'): Promise<void> {
    await this.swanctl('--initiate', '--ike', connection, '--child', child, '--timeout', '10');
  }

  /** Makes new keys; resolves when the daemon has begun, not when it has finished. */
  async rekey(what: 'ike' | 'child', connection: string, child = 'net'): Promise<void> {
    await this.swanctl('--rekey', ...(what === 'ike' ? ['--ike', connection] : ['--child', child]));
  }

  async terminate(what: 'ike' | 'child', connection: string, child = 'net'): Promise<void> {
    const which = what === 'ike' ? ['--ike', connection] : ['--child', child];
    await this.swanctl('--terminate', ...which, '--timeout', '5');
  }

  /** All that the daemon says it has, rekeyed ones on their way out included. */
  async listSas(): Promise<PeerIkeSa[]> {
    const messages = parseVici(await this.swanctl('--list-sas', '--raw', '--pretty'));
    return messages.flatMap((message) =>
      Object.entries(message).flatMap(([name, value]) => (isSection(value) ? [ikeSa(name, value)] : [])),
    );
  }

  /** No goodbye, nothing remembered. */
  async kill(): Promise<void> {
    this.process.child.kill('SIGKILL');
    await this.process.exited;
  }

  async stop(): Promise<void> {
    await this.process.stop(3000);
  }

  /** In the daemon's mount namespace and root, where its control socket is. */
  #inside(command: readonly string[]): string[] {
    return ['nsenter', '--target', `${this.process.id.pid}`, '--mount', '--net', '--root', '--wd', ...command];
  }

  async #waitForControl(): Promise<void> {
    for (let tries = 0; tries < 100; tries += 1) {
      if (this.process.hasExited) break;
      const { code } = await run(this.#inside(['sh', '-c', 'test -S /run/charon.vici && swanctl --stats']));
      if (code === 0) return;
      await sleep(50);
    }
    throw new Error(`strongSwan did not start (log: ${this.process.log})`);
  }
}

/** $1: the shared root, $2: the instance's folder. A tmpfs because the folder's own file system may not carry an overlay. */
const startScript = `
mkdir -p "$2/layers" "$2/root"
mount -t tmpfs tmpfs "$2/layers"
mkdir "$2/layers/upper" "$2/layers/work"
cp -a "$2/config/." "$2/layers/upper/"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/layers/upper,workdir=$2/layers/work" "$2/root"
mount --rbind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
mount -t tmpfs tmpfs "$2/root/run"
# Its own flush_line does nothing for stdout.
exec chroot "$2/root" stdbuf -oL /usr/sbin/charon-systemd
`;
