/**
 * Once a day, and when a stick is put in: a backup of the portal on the data partition (seven are kept), and copies of all of them on
 * a stick with the label MOAT-BACKUP. Usage: backup.ts
 */
import { join } from 'node:path';
import { backUp, backupsIn, copyMissing, isDue, keepNewest } from './backups.ts';
import { onStick, stickLabel } from './disk.ts';
import { backupFolder, onStickFolder, portalFolder } from './places.ts';

const kept = 7;
const keptOnStick = 60;

async function main(): Promise<void> {
  const now = Date.now();
  if (isDue(backupsIn(backupFolder), now)) {
    const name = await backUp(portalFolder, backupFolder, now);
    keepNewest(backupFolder, kept);
    console.log(`moat: backup ${name}`);
  }
  const copied = await onStick('rw', async (stick) => {
    const names = copyMissing(backupFolder, join(stick, onStickFolder));
    keepNewest(join(stick, onStickFolder), keptOnStick);
    return names;
  });
  if (copied !== null) console.log(`moat: ${copied.length} backups copied to the stick ${stickLabel}`);
}

await main();
