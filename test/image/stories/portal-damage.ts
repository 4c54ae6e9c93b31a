/**
 * Damages of a portal's data partition, in its own root without QEMU: what a start mends (`mountData`), and what `portal/start.ts` makes of it.
 * The boxes of a portal must find the same portal, whatever became of the medium; and its database wherever it, or a backup, can be read.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';
import { withLoops } from '../chroot.ts';
import type { Disk } from '../disk.ts';
import type { Ground } from '../ground.ts';
import { command, outsideOf, partitions, portalImage, startAndLook } from './portal-room.ts';

const top = join(import.meta.dirname, '../../..');
const mib = 1_048_576;

/** `database`: the same records as before; `keys`: the portal that the boxes know, with nothing in it. */
type Expected = 'database' | 'keys' | 'either';

interface Damage {
  /** In another computer, at the root of the data partition. */
  readonly outside?: string;
  readonly inside?: (disk: Disk, random: (index: number) => number) => void;
  readonly expected: Expected;
  readonly result?: RegExp;
}

const portal = 'lib/moat-portal';

const damages: Readonly<Record<string, Damage>> = {
  'filled to the last byte': {
    outside: `mkdir -p ${portal}/images; cat /dev/zero >${portal}/images/filler 2>/dev/null; true`,
    expected: 'database',
    result: /cleared/,
  },
  'the database overwritten': {
    outside: `dd if=/dev/urandom of=${portal}/moat.db bs=4096 count=8 conv=notrunc 2>/dev/null; rm -f ${portal}/moat.db-*`,
    expected: 'database',
    result: /clean/,
  },
  'the portal removed': { outside: `rm -r ${portal}`, expected: 'database', result: /clean/ },
  'a key removed': { outside: `rm ${portal}/identity.key ${portal}/device-api.key`, expected: 'database' },
  'database and backup removed': { outside: `rm -r ${portal} lib/moat-portal-backups`, expected: 'keys' },
  'all zeroed': { inside: (disk) => zero(disk, 0, 64 * mib), expected: 'either' },
  'superblock destroyed': { inside: (disk) => zero(disk, 0, 4096), expected: 'database' },
  ...Object.fromEntries([1, 2, 3, 4].map((number) => [`random places ${number}`, randomPlaces(number)])),
};

function zero(disk: Disk, from: number, octets: number): void {
  for (let at = from; at < from + octets; at += mib)
    disk.write('data', at, new Uint8Array(Math.min(mib, from + octets - at)));
}

function randomPlaces(number: number): Damage {
  const inside: Damage['inside'] = (disk, random) => {
    for (let index = 0; index < 60; index++) {
      const at = Math.floor(random(number * 1000 + index) * 4 * mib);
      disk.write('data', at, Uint8Array.of(Math.floor(random(number * 1000 + index + 500) * 256)));
    }
  };
  return { inside, expected: 'either' };
}

function spoilOutside(disk: Disk, what: string): void {
  const script = `d=$(mktemp -d) && mount -o loop,offset=${disk.offset('data')},sizelimit=${disk.size('data')} "$0" "$d" && cd "$d" || exit 1
    ${what}
    cd / && umount "$d" && rmdir "$d"`;
  execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, disk.path], { stdio: 'pipe' });
}

/** What `prepare.ts` does with /var. @returns `clean`, `repaired`, ... */
async function mend(disk: Disk): Promise<string> {
  const script = 'umount /var; mkdir -p /run/moat; node /run/outside/test/image/mend.ts key';
  const output = await withLoops(disk, partitions, (loops) => must(command(loops, top, script), { timeout: 180_000 }));
  return (JSON.parse(output.trim().split('\n').at(-1) ?? '') as { result: string }).result;
}

async function backUp(disk: Disk): Promise<void> {
  await withLoops(disk, partitions, (loops) =>
    must(
      command(
        loops,
        top,
        `umount /var; mount -t ext4 ${loops[1]} /var && node /usr/lib/moat/rootfs/portal/backup.ts && rm ${`/var/${portal}`}/first-operator.txt`,
      ),
    ),
  );
}

export async function portalDamages(ground: Ground): Promise<string> {
  const outside = outsideOf(ground);
  const whole = await portalImage(ground).copy(join(ground.folder, 'portal-whole.img'));
  const before = await startAndLook(whole, outside);
  await backUp(whole);
  const said: string[] = [];
  for (const [name, { outside: what, inside, expected, result }] of Object.entries(damages)) {
    const disk = await whole.copy(join(ground.folder, 'portal-damaged.img'));
    if (what !== undefined) spoilOutside(disk, what);
    inside?.(disk, (index) => ground.random(6000 + index));
    const mended = await mend(disk);
    if (result !== undefined) assert.match(mended, result, name);
    const after = await startAndLook(disk, outside);
    assert.deepEqual([after.key, after.operators, after.ok], [before.key, 1, 'ok'], `${name}: ${after.said}`);
    const isSame = after.hash === before.hash;
    if (expected === 'database') assert.ok(isSame, `${name}: the database is another one: ${after.said}`);
    if (expected === 'keys' || !isSame) assert.equal(after.fits, true, `${name}: the new operator is told`);
    said.push(`${name} (${mended}): ${isSame ? 'the same database' : 'the same keys'}`);
  }
  for (const name of ['portal-whole.img', 'portal-damaged.img']) rmSync(join(ground.folder, name), { force: true });
  return said.join('; ');
}
