/**
 * What a portal has on its data partition and a box of a home has not: a database that exists once. Before the partition is made anew it
 * is carried over, with the newest backup behind it (`portal/start.ts` finds out which of them holds together); a partition that is only
 * full is not made anew for it at all. Does nothing where there is no portal.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './disk.ts';

const parent = '/var/lib';
const portal = 'moat-portal';
const backups = 'moat-portal-backups';
const kept = '/run/moat/salvaged-portal';
/** Besides what is carried over, the machine needs memory of its own. */
const shareOfMemory = 3;

export function holdsPortal(): boolean {
  return existsSync(join(parent, portal, 'moat.db'));
}

/** Throws away what is there twice. */
export function makeRoomOfPortal(): void {
  for (const name of [`${portal}.old`, `${portal}.new`, `${backups}/new`])
    rmSync(join(parent, name), { recursive: true, force: true });
  for (const name of backupNames().slice(0, -1)) rmSync(join(parent, backups, name), { recursive: true, force: true });
}

/** Into memory, as far as it can be read. @returns the folders, below /var/lib */
export function salvagePortal(): string[] {
  let left = availableOctets() / shareOfMemory;
  const newest = backupNames().at(-1);
  // The newest backup first: it is whole, what stands in the portal's folder perhaps not.
  const wanted = [...(newest === undefined ? [] : [join(backups, newest)]), portal];
  return wanted.filter((name) => {
    const octets = octetsOf(join(parent, name));
    if (octets === 0 || octets > left) return false;
    left -= octets;
    mkdirSync(join(kept, name), { recursive: true, mode: 0o700 });
    // A file that cannot be read is left behind; the rest is copied.
    for (const file of filesOf(join(parent, name))) run('cp', ['-a', join(parent, name, file), join(kept, name)]);
    return true;
  });
}

export function putBackPortal(): void {
  if (existsSync(kept)) run('cp', ['-a', `${kept}/.`, parent]);
  rmSync(kept, { recursive: true, force: true });
}

/** Oldest first. */
function backupNames(): string[] {
  try {
    return readdirSync(join(parent, backups))
      .filter((name) => /^\d{8}T\d{6}Z$/.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** Of the files right in it: releases' images and mails lie deeper, and can be had again. */
function octetsOf(folder: string): number {
  return filesOf(folder).reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

function availableOctets(): number {
  const [, kibibytes = '0'] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}
