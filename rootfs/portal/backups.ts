/** Backups of a portal: a folder for each, named by its time; one is there whole or not at all. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeBackup } from '../../provisioning/cli/backup.ts';
import { syncTree, takePlace } from './disk.ts';

const freshMs = 20 * 3_600_000;
const shape = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** `20261122T143000Z`. @param now milliseconds since 1970 */
export function backupName(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

/** Milliseconds since 1970. */
function timeOf(name: string): number {
  return Date.parse(name.replace(shape, '$1-$2-$3T$4:$5:$6Z'));
}

/** Oldest first. */
export function backupsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => shape.test(name))
    .sort();
}

/** Another one a day. One from the future is none: the clock was wrong then, and is not believed for years because of it. */
export function isDue(names: readonly string[], now: number): boolean {
  return !names.some((name) => timeOf(name) <= now && now - timeOf(name) < freshMs);
}

/** @returns its name. @throws {Error} when the portal cannot be read or the disk is full; then nothing is left of it. */
export async function backUp(portal: string, folder: string, now: number): Promise<string> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = join(folder, 'new');
  rmSync(unfinished, { recursive: true, force: true });
  try {
    await makeBackup(portal, unfinished);
    const name = backupName(now);
    takePlace(unfinished, join(folder, name));
    return name;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** @param to a folder that lacks some. @returns those that were copied. */
export function copyMissing(from: string, to: string): string[] {
  const missing = backupsIn(from).filter((name) => !existsSync(join(to, name)));
  mkdirSync(to, { recursive: true });
  for (const name of missing) {
    const unfinished = join(to, 'new');
    rmSync(unfinished, { recursive: true, force: true });
    cpSync(join(from, name), unfinished, { recursive: true });
    takePlace(unfinished, join(to, name));
  }
  if (missing.length > 0) syncTree(to);
  return missing;
}

/** The oldest go. */
export function keepNewest(folder: string, count: number): void {
  const names = backupsIn(folder);
  for (const name of names.slice(0, Math.max(0, names.length - count)))
    rmSync(join(folder, name), { recursive: true, force: true });
}
