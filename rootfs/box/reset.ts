/**
 * Factory reset: a file of this name on the FAT partition. Key, configuration that worked, sides of the ports and everything on the
 * data partition are forgotten; what a person wrote into moat.toml stays. The file goes last: a cut on the way begins again.
 */
import { rmSync } from 'node:fs';
import { eraseVault } from './disk.ts';
import { onConfigPartition } from './fat.ts';

export const resetMark = 'factory-reset';

/** Before the data partition is mounted; `mountData` then makes it anew. */
export function forgetVault(): void {
  eraseVault();
  console.log('moat: factory reset');
}

export function resetDone(): void {
  onConfigPartition('rw', (folder) => rmSync(`${folder}/${resetMark}`, { force: true }));
}
