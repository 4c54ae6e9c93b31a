/** The FAT partition that people edit: mounted only for the moment in which it is needed. */
import { mkdirSync } from 'node:fs';
import { partition, run } from './disk.ts';

const folder = '/run/moat/fat';

/** @returns what `action` returns; null where the partition is missing or cannot be mounted. @throws what `action` throws. */
export function onConfigPartition<T>(mode: 'ro' | 'rw', action: (folder: string) => T): T | null {
  mkdirSync(folder, { recursive: true });
  let device: string;
  try {
    device = partition('moat-config');
  } catch {
    return null;
  }
  // Taken out and edited by people, and unplugged without asking.
  if (mode === 'rw') run('fsck.fat', ['-a', device]);
  if (run('mount', ['-t', 'vfat', '-o', `${mode},umask=077`, device, folder]).exitCode !== 0) return null;
  try {
    return action(folder);
  } finally {
    run('umount', [folder]);
  }
}
