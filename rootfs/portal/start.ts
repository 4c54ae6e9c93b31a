/**
 * Runs at every start of a portal, before its services: a portal is there when it ends, made by moat.toml the first time. Fails only
 * where there is nothing to run: the unit then says why, and so does the console.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, readText, readVault, writeFileSafely, writeVault } from '../box/disk.ts';
import { onConfigPartition } from '../box/fat.ts';
import type { PortalSeed } from '../box/portal-seed.ts';
import { keepReport, type Recovery } from '../box/report.ts';
import { backupsIn } from './backups.ts';
import { onStick, stickLabel } from './disk.ts';
import { settingsText } from './facts.ts';
import { applySeed, isWhole, makePortal, portalName, putKeys, readKeys, restorePortal } from './make.ts';
import { backupFolder, firstOperatorFile, onStickFolder, portalFolder, restoreMark } from './places.ts';

async function main(): Promise<void> {
  const seed = JSON.parse(readFileSync('/run/moat/config/portal.json', 'utf8')) as PortalSeed;
  const { data } = JSON.parse(readText('/run/moat/recovery.json') ?? '{}') as Partial<Recovery>;
  // An empty portal would tell every box that it is none of ours.
  if (data?.result === 'memory') throw new Error(`no portal without its data partition: ${data.detail}`);
  const { vault } = readVault();
  const asked = onConfigPartition('ro', (folder) => existsSync(`${folder}/${restoreMark}`)) === true;
  if (asked) await restoreAsAsked();
  if (!isWhole(portalFolder)) await bringBack(seed, vault.portalKeys ?? {});
  putKeys(portalFolder, vault.portalKeys ?? {});
  if (await applySeed(portalFolder, seed, Date.now())) say('moat.toml is applied');
  writeSettings(portalName(portalFolder, seed.name), seed);
  mustRun('chown', ['-R', 'moat-portal:moat-portal', portalFolder]);
  writeVault({ ...readVault().vault, portalKeys: readKeys(portalFolder) });
  handOver();
}

function say(sentence: string): void {
  console.log(`moat: ${sentence}`);
}

async function restoreAsAsked(): Promise<void> {
  const found = await fromStick();
  if (found === null) return say(`a restore is asked for, and no stick ${stickLabel} with a backup is there`);
  onConfigPartition('rw', (folder) => rmSync(`${folder}/${restoreMark}`, { force: true }));
  reportRestored(`stick, ${found}`);
}

/** @returns the name of the backup; null where there is none. */
function fromStick(): Promise<string | null> {
  return onStick('ro', (stick) => restoreNewest(join(stick, onStickFolder)));
}

/** The newest that is whole. @returns its name */
async function restoreNewest(folder: string): Promise<string | null> {
  for (const name of backupsIn(folder).toReversed()) {
    try {
      await restorePortal(portalFolder, join(folder, name));
      return name;
    } catch (error) {
      say(`backup ${name} cannot be used: ${(error as Error).message}`);
    }
  }
  return null;
}

/** No database, or one that does not hold together. A portal with keys in the vault has boxes that know it. */
async function bringBack(seed: PortalSeed, keys: Readonly<Record<string, string>>): Promise<void> {
  const own = await restoreNewest(backupFolder);
  if (own !== null) return reportRestored(`data partition, ${own}`);
  const hadOne = Object.keys(keys).length > 0;
  // On a medium that is new, a stick counts only when a person asks for it.
  const stick = hadOne ? await fromStick() : null;
  if (stick !== null) return reportRestored(`stick, ${stick}`);
  await makePortal(portalFolder, seed, keys, Date.now());
  say(
    hadOne ? 'the database is lost and no backup was found: an empty portal with the old keys' : 'the portal is made',
  );
  if (hadOne) keepReport('portal', { result: 'made anew', detail: 'the database was lost, and no backup was found' });
}

function reportRestored(from: string): void {
  say(`the portal is restored (${from})`);
  keepReport('portal', { result: 'restored', from });
}

function writeSettings(name: string, seed: PortalSeed): void {
  if (name !== seed.name) say(`the portal is called '${name}' since its first start; moat.toml says '${seed.name}'`);
  const path = join(portalFolder, 'portal.toml');
  const text = settingsText(name, seed);
  if (readText(path) !== text) writeFileSafely(path, new Uint8Array(Buffer.from(text)));
}

/** Database, keys and vault are on the medium. The file leaves the portal's folder only when it is on the partition for people. */
function handOver(): void {
  const own = join(portalFolder, firstOperatorFile);
  const text = readText(own);
  if (text === null) return;
  const isWritten = onConfigPartition('rw', (folder) => {
    const file = openSync(`${folder}/${firstOperatorFile}`, 'w', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  });
  if (isWritten === null) {
    say('the FAT partition cannot be written: the first operator is told at the next start');
    return;
  }
  rmSync(own);
  say(`the first operator is in ${firstOperatorFile} on the FAT partition`);
}

await main();
