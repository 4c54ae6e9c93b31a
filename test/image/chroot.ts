/** The box's own root as a chroot in namespaces of its own, with partitions of a disk as loop devices: its programs without QEMU. */
import { join } from 'node:path';
import { must, run } from '../lab/processes.ts';
import type { Disk, Partition } from './disk.ts';

export const root = join(import.meta.dirname, '../../.build/image/amd64/root');

/** @returns what `action` returns; it is given the device of each partition, in their order. */
export async function withLoops<T>(
  disk: Disk,
  partitions: readonly Partition[],
  action: (loops: string[]) => Promise<T>,
): Promise<T> {
  const loops: string[] = [];
  try {
    for (const partition of partitions) {
      const place = ['--offset', `${disk.offset(partition)}`, '--sizelimit', `${disk.size(partition)}`];
      loops.push((await must(['losetup', '--find', '--show', ...place, disk.path])).trim());
    }
    return await action(loops);
  } finally {
    for (const loop of loops) await run(['losetup', '--detach', loop]);
  }
}

/**
 * The command line that runs a script of the shell inside. The machine's kernel need not know GPT: /sys says what the box would find
 * there. `outside` is a folder that the box sees as /run/outside. /var is memory.
 */
export function inRoot(
  partitions: readonly string[],
  loops: readonly string[],
  outside: string,
  script: string,
): string[] {
  const names = partitions.map((name, index) => `${name}=${loops[index]?.replace('/dev/', '')}`).join(' ');
  const mounts = `
    mount -t proc proc "$0/proc" && mount -t tmpfs t "$0/sys" && mount --bind /dev "$0/dev" && mount -t tmpfs t "$0/run" || exit 1
    mount -t tmpfs t "$0/var" && mkdir -p "$0/var/lib/moat" "$0/run/moat/config" "$0/run/outside" && mount --bind "$1" "$0/run/outside" || exit 1
    mount -t tmpfs t "$0/dev/net" && mknod -m 666 "$0/dev/net/tun" c 10 200 && ip link set lo up || exit 1
    for pair in $2; do
      mkdir -p "$0/sys/class/block/\${pair#*=}"; echo "PARTNAME=moat-\${pair%%=*}" >"$0/sys/class/block/\${pair#*=}/uevent"
    done
    exec chroot "$0" sh -c "$3"`;
  const namespaces = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
  return [...namespaces, 'sh', '-c', mounts, root, outside, names, script];
}
