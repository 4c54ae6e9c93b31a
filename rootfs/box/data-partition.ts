/** Mounts /var, whatever state the data partition is in. Performs what `data.ts` decides. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  afterCheck,
  type DataStep,
  disposable,
  isFull,
  isOfService,
  isWorthSalvaging,
  salvageFileOctets,
  salvageTotalOctets,
} from './data.ts';
import { mustRun, run } from './disk.ts';
import { holdsPortal, makeRoomOfPortal, putBackPortal, salvagePortal } from './portal-salvage.ts';

const options = 'noatime,nosuid,nodev,commit=60,errors=remount-ro';
const factory = '/usr/share/factory/var';
const home = '/var/lib/moat';
const kept = '/run/moat/salvaged';

export interface DataReport {
  readonly result: 'clean' | 'repaired' | 'cleared' | 'restored' | 'memory';
  readonly detail: string;
  readonly salvaged: readonly string[];
}

/** @param forget make it anew, and carry nothing over. */
export function mountData(device: string | null, forget = false): DataReport {
  if (device === null) return inMemory('there is no data partition');
  if (forget) return makeAnew(device, 'factory reset', []);
  const { step, detail } = check(device);
  if (step !== 'restore') {
    const mounted = run('mount', ['-t', 'ext4', '-o', options, device, '/var']);
    if (mounted.exitCode === 0) return afterMount(device, step, detail);
    return restore(device, `${detail} ${mounted.output}`);
  }
  return restore(device, detail);
}

function check(device: string): { step: DataStep; detail: string } {
  // Always the whole check: a partition that was spoiled from outside still says of itself that it is clean.
  const quick = run('e2fsck', ['-f', '-p', device]);
  const first = afterCheck(quick.exitCode, false);
  if (first !== 'repair') return { step: first, detail: quick.output };
  const thorough = run('e2fsck', ['-f', '-y', device]);
  return { step: afterCheck(thorough.exitCode, true), detail: lastLines(thorough.output) };
}

function afterMount(device: string, step: DataStep, detail: string): DataReport {
  if (!isWritable()) return restore(device, 'the data partition cannot be written');
  const cleared = space();
  if (isFull(cleared)) {
    for (const name of disposable) emptyFolder(join('/var', name));
    if (isFull(space())) makeRoomOfPortal();
    if (isFull(space()) && !holdsPortal()) return restore(device, 'the data partition was full');
    fillFromFactory();
    return { result: 'cleared', detail: 'the data partition was full', salvaged: [] };
  }
  // What a repair removed (or a factory image never had) comes back; what is there stays.
  fillFromFactory();
  return { result: step === 'mount' ? 'clean' : 'repaired', detail: lastLines(detail), salvaged: [] };
}

function restore(device: string, why: string): DataReport {
  const salvaged = salvage(device);
  run('umount', ['/var']);
  return makeAnew(device, why, salvaged);
}

function makeAnew(device: string, why: string, salvaged: readonly string[]): DataReport {
  const made = run('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'moat-data', '-m', '2', device]);
  const mounted = made.exitCode === 0 ? run('mount', ['-t', 'ext4', '-o', options, device, '/var']) : made;
  if (mounted.exitCode !== 0) return inMemory(`${why}; ${mounted.output}`);
  fillFromFactory();
  if (salvaged.length > 0) run('cp', ['-a', `${kept}/.`, home]);
  putBackPortal();
  run('sync', ['-f', '/var']);
  return { result: 'restored', detail: lastLines(why), salvaged };
}

/** A dead medium must not stop the tunnel: the box runs from memory and says so at every start. */
function inMemory(why: string): DataReport {
  mustRun('mount', ['-t', 'tmpfs', '-o', 'mode=755,size=64m,nosuid,nodev', 'var', '/var']);
  fillFromFactory();
  return { result: 'memory', detail: why, salvaged: [] };
}

/** Copies what can still be read of /var/lib/moat into memory. Files that no service would write are left behind. */
function salvage(device: string): string[] {
  const isMounted = run('mountpoint', ['-q', '/var']).exitCode === 0;
  if (!isMounted && run('mount', ['-t', 'ext4', '-o', 'ro,noload', device, '/var']).exitCode !== 0) return [];
  const ofPortal = salvagePortal();
  let left = salvageTotalOctets;
  const ofServices = serviceFiles().filter((name) => {
    const bytes = readSmall(join(home, name));
    if (bytes === null || bytes.length > left || !isWorthSalvaging(name, bytes)) return false;
    left -= bytes.length;
    return keep(name, bytes);
  });
  return [...ofServices, ...ofPortal];
}

/** With the owners that file and folders had: the services are no root. */
function keep(name: string, bytes: Uint8Array): boolean {
  try {
    mkdirSync(dirname(join(kept, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(kept, name), bytes, { mode: 0o600 });
    for (const path of [name, ...foldersOf(name)]) {
      const { uid, gid, mode } = statSync(join(home, path));
      chownSync(join(kept, path), uid, gid);
      chmodSync(join(kept, path), mode & 0o777);
    }
    return true;
  } catch {
    return false;
  }
}

/** From the one that it is in up to `.`, /var/lib/moat itself. */
function foldersOf(name: string): string[] {
  const folder = dirname(name);
  return folder === '.' ? ['.'] : [folder, ...foldersOf(folder)];
}

/** Names below /var/lib/moat. */
function serviceFiles(): string[] {
  try {
    return readdirSync(home, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(home, join(entry.parentPath, entry.name)))
      .filter(isOfService)
      .slice(0, 10_000);
  } catch {
    return [];
  }
}

function readSmall(path: string): Uint8Array | null {
  try {
    return statSync(path).size > salvageFileOctets ? null : readFileSync(path);
  } catch {
    return null;
  }
}

function fillFromFactory(): void {
  run('cp', ['-a', '--update=none', `${factory}/.`, '/var/']);
}

function space() {
  const { bavail, bsize, ffree } = statfsSync('/var');
  return { freeOctets: bavail * bsize, freeNodes: ffree };
}

function emptyFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

function isWritable(): boolean {
  try {
    mkdirSync(join('/var', 'lib/moat'), { recursive: true, mode: 0o755 });
    writeFileSync('/var/lib/moat/.probe', 'x');
    rmSync('/var/lib/moat/.probe');
    return true;
  } catch (error) {
    // A full partition is another matter, with a milder cure.
    return (error as NodeJS.ErrnoException).code === 'ENOSPC';
  }
}

function lastLines(text: string): string {
  return text.split('\n').slice(-3).join(' ').slice(-300);
}
