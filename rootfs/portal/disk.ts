/** Folders that are there whole or not at all, and sticks for backups. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readText, run } from '../box/disk.ts';

export const stickLabel = 'MOAT-BACKUP';
const stickPlace = '/run/moat/backup-stick';

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Every file and folder of it is on the medium when it returns. */
export function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() || entry.isDirectory()) sync(join(entry.parentPath, entry.name));
  sync(folder);
}

/** A finished folder takes its place. What stood there is `PLACE.old` afterwards; a cut in between is found by who looks for `place`. */
export function takePlace(finished: string, place: string): void {
  syncTree(finished);
  rmSync(`${place}.old`, { recursive: true, force: true });
  if (existsSync(place)) renameSync(place, `${place}.old`);
  renameSync(finished, place);
  sync(dirname(place));
}

/** Partitions of FAT with the label, such as `sda1`; never one of this machine's own. */
function stickDevice(): string | null {
  for (const name of readdirSync('/sys/class/block').sort()) {
    const facts = readText(`/sys/class/block/${name}/uevent`) ?? '';
    if (/^PARTNAME=moat-/m.test(facts) || !/^(sd|mmcblk|vd)/.test(name)) continue;
    const { exitCode, output } = run('fatlabel', [`/dev/${name}`], 10_000);
    // It also complains about tables of characters that the root does not have.
    if (exitCode === 0 && output.split('\n').some((line) => line.trim() === stickLabel)) return `/dev/${name}`;
  }
  return null;
}

/** @returns what `action` returns; null where there is no stick with the label, or it cannot be mounted. @throws what `action` throws. */
export async function onStick<T>(mode: 'ro' | 'rw', action: (folder: string) => Promise<T>): Promise<T | null> {
  const device = stickDevice();
  if (device === null) return null;
  mkdirSync(stickPlace, { recursive: true });
  if (run('mount', ['-t', 'vfat', '-o', `${mode},umask=077`, device, stickPlace]).exitCode !== 0) return null;
  try {
    return await action(stickPlace);
  } finally {
    run('umount', [stickPlace]);
  }
}
