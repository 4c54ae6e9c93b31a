/**
 * The recovery of the data partition without QEMU: the box's own root as a chroot, its own e2fsck and Node, on a loop device
 * with the image's partitions. A case takes seconds instead of minutes, so there can be many.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';
import { root, withLoops } from '../chroot.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';

const mib = 1_048_576;
const cases = 40;
const top = join(import.meta.dirname, '../../..');
const key = 'the one key';

interface Found {
  readonly result: string;
  readonly damaged: readonly string[];
  readonly key: string | null;
  readonly writable: string;
  readonly filesystem: string;
  readonly lease: string;
  readonly home: string;
}

/** In namespaces of its own. The machine's kernel need not know GPT: /sys says what the box would find there. */
const script = `
  mount -t proc proc "$0/proc" && mount -t tmpfs t "$0/sys" && mount --bind /dev "$0/dev" && mount -t tmpfs t "$0/run" || exit 1
  mkdir -p "$0/sys/class/block/\${3##*/}" "$0/sys/class/block/\${4##*/}" "$0/run/moat" "$0/run/tree"
  echo PARTNAME=moat-data >"$0/sys/class/block/\${3##*/}/uevent"
  echo PARTNAME=moat-state >"$0/sys/class/block/\${4##*/}/uevent"
  mount --bind "$1" "$0/run/tree" && exec chroot "$0" /usr/bin/node /run/tree/test/image/mend.ts "$2"`;

/** One start's worth of `prepare.ts`. */
function mend(disk: Disk): Promise<Found> {
  return withLoops(disk, ['data', 'state'], async (loops) => {
    const command = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, root, top, key, ...loops];
    const output = await must(command, { timeout: 180_000 });
    return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Found;
  });
}

type Spoil = (disk: Disk, random: (index: number) => number) => void;

function zero(disk: Disk, from: number, octets: number): void {
  for (let at = from; at < from + octets; at += mib)
    disk.write('data', at, new Uint8Array(Math.min(mib, from + octets - at)));
}

const kinds: Readonly<Record<string, Spoil>> = {
  'superblock destroyed': (disk) => zero(disk, 0, 4096),
  'beginning zeroed': (disk, random) => zero(disk, 0, Math.ceil(random(1) * 40) * mib),
  'all zeroed': (disk) => zero(disk, 0, disk.size('data')),
  'random places': (disk, random) => {
    for (let index = 0; index < 400; index++) {
      const at = Math.floor((random(index) * (disk.size('data') - 4096)) / 4096) * 4096;
      disk.write(
        'data',
        at,
        Uint8Array.from({ length: 4096 }, (_, octet) => (octet * 31 + index) & 255),
      );
    }
  },
  'random places in the metadata': (disk, random) => {
    for (let index = 0; index < 60; index++) {
      const at = Math.floor(random(index) * 2 * mib);
      disk.write('data', at, Uint8Array.of(Math.floor(random(index + 500) * 256)));
    }
  },
  'zeroed, and the first raw copy of the key': (disk) => {
    zero(disk, 0, disk.size('data'));
    disk.write('state', mib, new Uint8Array(mib));
  },
  'zeroed, and the second raw copy of the key': (disk) => {
    zero(disk, 0, disk.size('data'));
    disk.write('state', 2 * mib, new Uint8Array(mib));
  },
  'both raw copies of the key': (disk) => disk.write('state', mib, new Uint8Array(2 * mib)),
};

/** DHCP's journal, as its service leaves it: the folder and the file are that of its user. */
const lease = { user: 971, text: 'a lease', told: '971 755\n971 640\na lease' };

/** By a computer with the medium in it: with the service's file there, `command` runs in the root of the data partition. */
function outside(disk: Disk, command: string): void {
  const script = `d=$(mktemp -d) && mount -o loop,offset=${disk.offset('data')},sizelimit=${disk.size('data')} "$0" "$d" && cd "$d" || exit 1
    mkdir -p lib/moat/state/dhcp && printf '${lease.text}' >lib/moat/state/dhcp/leases.journal && chmod 640 lib/moat/state/dhcp/leases.journal
    chown -R ${lease.user} lib/moat/state/dhcp; ${command}
    cd / && umount "$d" && rmdir "$d"`;
  execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, disk.path], { stdio: 'pipe' });
}

/** What a full partition comes to: emptied where its content can be made again, else made anew around what the services wrote. */
const fillings: Readonly<Record<string, { command: string; result: string }>> = {
  'filled with caches': { command: 'mkdir -p cache; cat /dev/zero >cache/filler 2>/dev/null', result: 'cleared' },
  'filled with who knows what': { command: 'cat /dev/zero >lib/moat/filler 2>/dev/null', result: 'restored' },
  'no node left': {
    command: 'mkdir lib/moat/many; cd lib/moat/many; seq 90000 | xargs touch 2>/dev/null; cd "$d"',
    result: 'restored',
  },
};

async function fillAndMend(ground: Ground, fresh: Disk): Promise<string[]> {
  const results: string[] = [];
  for (const [name, { command, result }] of Object.entries(fillings)) {
    const disk = await fresh.copy(join(ground.folder, 'room.img'));
    outside(disk, command);
    const found = await mend(disk);
    assert.deepEqual([found.result, found.writable, found.key, found.home], [result, 'ok', key, '0 755'], name);
    assert.equal(found.lease, lease.told, `${name}: the leases are there, and DHCP's own`);
    assert.equal((await mend(disk)).result, 'clean', `${name}: the next start finds nothing to mend`);
    results.push(`${name}: ${found.result}`);
  }
  return results;
}

export async function manyDamages(ground: Ground): Promise<string> {
  const fresh = await ground.newDisk('room-fresh');
  // Three starts: the key is in both raw places and in the file.
  for (const _ of [1, 2]) assert.equal((await mend(fresh)).result, 'clean');
  const results: string[] = [];
  for (let round = 0; round < cases; round++) {
    const [name = '', spoil] = Object.entries(kinds)[round % Object.keys(kinds).length] ?? [];
    const disk = await fresh.copy(join(ground.folder, 'room.img'));
    spoil?.(disk, (index) => ground.random(round * 1000 + index));
    const found = await mend(disk);
    assert.equal(found.writable, 'ok', `${name}: /var can be written: ${JSON.stringify(found)}`);
    assert.equal(found.filesystem, 'ext4', `${name}: /var is on the medium`);
    assert.equal(found.key, key, `${name}: the key is kept (round ${round}): ${JSON.stringify(found)}`);
    const again = await mend(disk);
    assert.equal(again.result, 'clean', `${name}: the next start finds nothing to mend`);
    assert.deepEqual(again.damaged.includes('file'), false);
    results.push(`${name}: ${found.result}`);
  }
  results.push(...(await fillAndMend(ground, fresh)));
  rmSync(join(ground.folder, 'room.img'));
  return `${results.length} cases, key kept and /var on the medium in each; ${tally(results)}`;
}

function tally(results: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const result of results) counts.set(result, (counts.get(result) ?? 0) + 1);
  return [...counts].map(([result, count]) => `${result} ${count}`).join(', ');
}
