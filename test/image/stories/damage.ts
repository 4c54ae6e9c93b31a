/** The data partition, the boot state and the slots are spoiled; the box comes up and says what it found. */
import assert from 'node:assert/strict';
import type { Disk, Partition } from '../disk.ts';
import type { Ground } from '../ground.ts';

interface Damage {
  readonly name: string;
  readonly spoil: (disk: Disk, random: (index: number) => number) => void;
  /** What the box may say of its data partition. */
  readonly says: RegExp;
}

const mib = 1_048_576;

const damages: readonly Damage[] = [
  {
    name: 'superblock destroyed',
    spoil: (disk) => disk.write('data', 0, new Uint8Array(8192)),
    says: /data partition: (repaired|restored)/,
  },
  {
    name: 'zeroed',
    spoil: (disk) => {
      for (let at = 0; at < disk.size('data'); at += mib) disk.write('data', at, new Uint8Array(mib));
    },
    says: /data partition: restored/,
  },
  {
    name: 'overwritten at random places',
    spoil: (disk, random) => {
      for (let index = 0; index < 200; index++) {
        const at = Math.floor((random(index) * (disk.size('data') - 4096)) / 4096) * 4096;
        const junk = Uint8Array.from({ length: 4096 }, (_, octet) => (octet * 31 + index) & 255);
        disk.write('data', index < 20 ? index * 16_384 : at, junk);
      }
    },
    says: /data partition: (repaired|restored)/,
  },
  {
    name: 'the two copies of the key beside it destroyed',
    spoil: (disk) => disk.write('state', mib, new Uint8Array(2 * mib)),
    says: /data partition: clean/,
  },
  {
    name: 'zeroed, and one copy of the key destroyed',
    spoil: (disk) => {
      disk.write('state', 2 * mib, new Uint8Array(mib));
      for (let at = 0; at < 16 * mib; at += mib) disk.write('data', at, new Uint8Array(mib));
    },
    says: /data partition: (repaired|restored)/,
  },
  {
    name: 'the boot state overwritten',
    spoil: (disk) => disk.write('state', 2048, new Uint8Array(1024).fill(0xa5)),
    says: /data partition: clean/,
  },
];

/** One start per damage, each on a disk of its own. */
export async function ofData(ground: Ground): Promise<string> {
  const done: string[] = [];
  for (let round = 0; round < ground.options.rounds.damage; round++) {
    const damage = damages[round % damages.length];
    if (!damage) throw new Error('there are damages');
    const { disk, publicKey } = await ground.seasoned('damage');
    damage.spoil(disk, (index) => ground.random(round * 1000 + index));
    const box = ground.start(disk, 'damage');
    const said = await box.see(damage.says);
    assert.equal(await box.publicKey(), publicKey, `${damage.name}: the identity is kept`);
    await box.works();
    await box.cut();
    done.push(`${damage.name}: ${said[0].replace('data partition: ', '')}`);
  }
  return done.join('; ');
}

/** Filled to the last octet, by the box itself: inodes and blocks. */
export async function filled(ground: Ground): Promise<string> {
  const { disk, publicKey } = await ground.seasoned('filled');
  const box = ground.start(disk, 'filled');
  await box.works();
  await box.shell('cat /dev/zero >/var/lib/moat/filler 2>&1; cat /dev/zero >/var/filler2 2>&1; sync', 300);
  assert.match(await box.shell('df -P /var | tail -1'), /100%/);
  await box.cut();
  const next = ground.start(disk, 'filled');
  const said = await next.see(/data partition: (cleared|restored)/);
  assert.equal(await next.publicKey(), publicKey, 'the identity is kept');
  await next.works();
  await next.cut();
  return said[0];
}

/** One bit in the root or in the kernel of the slot that runs: the other slot is booted. */
export async function ofRoot(ground: Ground): Promise<string> {
  const atRoot = Math.floor((20 + ground.random(77) * 40) * mib);
  await flipped(ground, 'root-a', atRoot, /slot a is unusable: corrupt/);
  await flipped(ground, 'boot-a', 8 * mib, /slot a is damaged/);
  return 'a bit in root a: slot b; a bit in kernel a: slot b';
}

async function flipped(ground: Ground, partition: Partition, at: number, says: RegExp): Promise<void> {
  const { disk } = await ground.seasoned('flip');
  disk.flip(partition, at);
  const box = ground.start(disk, 'flip');
  await box.see(says);
  assert.equal((await box.works()).slot, 'b');
  await box.cut();
}
