import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RootRecipe, root } from '../../interop/roots.ts';
import type { Host } from '../../lab/host.ts';
import { must, run, sleep } from '../../lab/processes.ts';
import type { Running } from '../../lab/running.ts';

export const debian12: RootRecipe = {
  name: 'bench-debian12',
  suite: 'bookworm',
  packages: ['wireguard-go', 'wireguard-tools', 'openvpn', 'openssl', 'nebula', 'fastd', 'iproute2'],
};

export const debian13: RootRecipe = {
  name: 'bench-debian13',
  suite: 'trixie',
  packages: ['wireguard-go', 'wireguard-tools'],
};

/** Where a program of the room finds the files that were written for it. */
export const inside = '/mnt';

/** $1: the root, $2: the folder that appears as /mnt. Its mounts live in a mount namespace that ends with the program. */
const enter = `
mount --bind "$2" "$1${inside}"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/run"
root=$1
shift 2
exec chroot "$root" "$@"
`;

/** Other people's programs in a lab host: the host's network, a root of their own, and one folder of files. */
export class Room {
  readonly host: Host;
  readonly #root: string;
  readonly #folder: string;

  private constructor(host: Host, path: string, folder: string) {
    this.host = host;
    this.#root = path;
    this.#folder = folder;
  }

  static async open(host: Host, recipe: RootRecipe): Promise<Room> {
    const folder = join(host.home.temporary, `room-${host.name}`);
    mkdirSync(folder, { recursive: true });
    return new Room(host, await root(recipe), folder);
  }

  /** A file at /mnt/NAME, readable by its owner only. */
  write(name: string, text: string): void {
    writeFileSync(join(this.#folder, name), text, { mode: 0o600 });
  }

  start(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    return this.host.start(name, this.#entered(command), { env });
  }

  /** Runs a program to its end. @throws {Error} unless it exits with 0. */
  must(command: readonly string[]): Promise<string> {
    return this.host.must(this.#entered(command));
  }

  /** The same beside a program that runs, where its control socket is. */
  mustBeside(beside: Running, command: readonly string[]): Promise<string> {
    const into = ['nsenter', '--target', `${beside.id.pid}`, '--mount', '--net', '--root', '--wd'];
    return must([...into, ...command]);
  }

  /** The version that Debian's package says. */
  async version(debianPackage: string): Promise<string> {
    return (await this.must(['dpkg-query', '-W', '-f', `\${Version}`, debianPackage])).trim();
  }

  #entered(command: readonly string[]): string[] {
    const quiet = ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', enter, 'sh'];
    return [...quiet, this.#root, this.#folder, ...command];
  }
}

/** Waits until a program has made its TUN device. @throws {Error} with its log when it ends or takes 10 s. */
export async function deviceOf(program: Running, host: Host, device: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (program.hasExited) break;
    if ((await run(['ip', '-n', host.namespace, 'link', 'show', 'dev', device])).code === 0) return;
    await sleep(50);
  }
  throw new Error(`${host.name}: no device ${device} (log: ${program.log})`);
}

/** Whether the kernel may hand segmented packets to the TUN whole, as `ethtool` sees it. */
export async function offloadsOf(host: Host, device: string): Promise<string> {
  const features = await host.must(['ethtool', '-k', device]);
  const has = (name: string) => new RegExp(`^\\s*${name}: on`, 'm').test(features);
  const segmented = [has('tx-tcp-segmentation') && 'TCP', has('tx-udp-segmentation') && 'UDP'].filter(Boolean);
  return segmented.length > 0 ? `TUN with ${segmented.join(' and ')} segmentation offload` : 'TUN packet by packet';
}
