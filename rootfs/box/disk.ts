/** Partitions by name, raw places of `moat-state`, and programs: the I/O that `prepare`, `health` and `update` share. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type BootState, blockOctets, decodeBootState, encodeBootState, type Slot } from './boot-state.ts';
import {
  decodeRecord,
  encodeRecord,
  type Numbered,
  newest,
  nextPlace,
  type Place,
  recordOctets,
  type Vault,
} from './vault.ts';

export const vaultFile = '/var/lib/moat/vault.rec';
/** Octets into `moat-state`: where the one file of its tiny FAT begins (images/partitions.sh checks it). */
const bootStateOffset = 2048;
const vaultOffsets = { first: 1_048_576, second: 2_097_152 } as const;

/** @throws {Error} where the disk has no such partition. */
export function partition(name: string): string {
  for (const block of readdirSync('/sys/class/block')) {
    const lines = readText(`/sys/class/block/${block}/uevent`)?.split('\n') ?? [];
    if (lines.includes(`PARTNAME=${name}`)) return `/dev/${block}`;
  }
  throw new Error(`this disk has no partition ${name}`);
}

export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** @returns what could be read: short at the end of a device, empty where it cannot be read. */
export function readAt(path: string, offset: number, octets: number): Uint8Array {
  const buffer = Buffer.alloc(octets);
  try {
    const file = openSync(path, 'r');
    try {
      return buffer.subarray(0, readSync(file, buffer, 0, octets, offset));
    } finally {
      closeSync(file);
    }
  } catch {
    return new Uint8Array(0);
  }
}

/** On the medium when it returns. */
export function writeAt(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whole or not at all, and on the medium when it returns. */
export function writeFileSafely(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

export function runningSlot(): Slot {
  return readText('/run/moat/slot')?.trim() === 'b' ? 'b' : 'a';
}

export function readBootState(): BootState {
  return decodeBootState(readAt(partition('moat-state'), bootStateOffset, blockOctets));
}

/** Writes only a change: a restart without news costs no write here. */
export function writeBootState(state: BootState): void {
  const device = partition('moat-state');
  const block = encodeBootState(state);
  if (!Buffer.from(readAt(device, bootStateOffset, blockOctets)).equals(block)) writeAt(device, bootStateOffset, block);
}

function readPlaces(): Record<Place, Numbered | null> {
  const device = partition('moat-state');
  const raw = (offset: number) => decodeRecord(readAt(device, offset, recordOctets));
  return {
    first: raw(vaultOffsets.first),
    second: raw(vaultOffsets.second),
    file: decodeRecord(readAt(vaultFile, 0, recordOctets)),
  };
}

export function readVault(): { vault: Vault; damaged: readonly Place[] } {
  const { best, damaged } = newest(readPlaces());
  return { vault: best.vault, damaged };
}

/** Brings every place up to date: nothing is written where nothing differs. */
export function writeVault(vault: Vault): void {
  const places = readPlaces();
  const { best, damaged } = newest(places);
  const same = best.number > 0 && JSON.stringify(best.vault) === JSON.stringify(vault);
  if (same && damaged.length === 0 && places.file?.number === best.number) return;
  const record = same ? best : { number: best.number + 1, vault };
  const bytes = encodeRecord(record);
  const device = partition('moat-state');
  if (!same || damaged.includes(nextPlace(places))) writeAt(device, vaultOffsets[nextPlace(places)], bytes);
  writeFileSafely(vaultFile, bytes);
}

/** Both raw places; the file goes with the data partition. */
export function eraseVault(): void {
  const device = partition('moat-state');
  for (const offset of Object.values(vaultOffsets)) writeAt(device, offset, new Uint8Array(recordOctets));
}

export interface Outcome {
  readonly exitCode: number;
  readonly output: string;
}

/** @returns 127 where the program is missing or does not end within its time. */
export function run(program: string, args: readonly string[], timeoutMs = 300_000): Outcome {
  const result = spawnSync(program, args, { encoding: 'utf8', timeout: timeoutMs });
  return { exitCode: result.status ?? 127, output: `${result.stdout ?? ''}${result.stderr ?? ''}`.trim() };
}

/** @throws {Error} with what the program said. */
export function mustRun(program: string, args: readonly string[]): string {
  const { exitCode, output } = run(program, args);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${exitCode} ${output.slice(-500)}`);
  return output;
}
