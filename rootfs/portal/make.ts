/**
 * How a portal comes to be in its folder: made anew, or from a backup.
 *
 * Theory of operation: all of it is made in a folder beside the portal's, synced, and renamed into its place as the last step. A cut
 * before leaves nothing that counts and is begun again, with another password that nobody has seen; a cut after finds a portal.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { restoreBackup } from '../../provisioning/cli/backup.ts';
import { initPortal } from '../../provisioning/cli/init.ts';
import { openDatabase } from '../../provisioning/db/database.ts';
import { change } from '../../provisioning/facts/change.ts';
import { setRecord } from '../../provisioning/facts/fleet.ts';
import { kinds } from '../../provisioning/facts/kinds.ts';
import { rowNamed } from '../../provisioning/facts/records.ts';
import { keyFiles } from '../../provisioning/keys/files.ts';
import { addOperator } from '../../provisioning/operator-api/operators.ts';
import { otpauthUri } from '../../provisioning/operator-api/passwords.ts';
import { readSettings } from '../../provisioning/settings/settings.ts';
import { writeFileSafely } from '../box/disk.ts';
import type { PortalSeed } from '../box/portal-seed.ts';
import { takePlace } from './disk.ts';
import { firstOperatorText, initOptions, type Wanted, wantedFacts, withOurs } from './facts.ts';
import { firstOperatorFile } from './places.ts';

export type Keys = Readonly<Record<string, string>>;

const author = 'moat.toml';
const databaseFile = 'moat.db';
const appliedFile = 'applied.json';

/** With an owner who may log in: the file in the folder that says how is for the FAT partition. */
export async function makePortal(folder: string, seed: PortalSeed, keys: Keys, now: number): Promise<void> {
  const making = emptyFolder(folder);
  putKeys(making, keys);
  const request = { author, summary: 'first start', now };
  await initPortal(making, initOptions(seed), (database, work) => change(database, request, work));
  const database = await openDatabase(`sqlite:${join(making, databaseFile)}`);
  try {
    const made = await addOperator(database, { name: seed.portal.operator, role: 'owner' }, now);
    const otpauth = otpauthUri(seed.name, made.name, made.totpSecret);
    const fingerprint = new X509Certificate(readFileSync(join(making, keyFiles.operatorCertificate))).fingerprint256;
    const text = firstOperatorText(seed, { ...made, otpauth, fingerprint });
    writeFileSync(join(making, firstOperatorFile), text, { mode: 0o600 });
  } finally {
    await database.close();
  }
  replace(making, folder);
}

/** @throws {Error} when it is no whole backup; the portal stays as it was. */
export async function restorePortal(folder: string, backup: string): Promise<void> {
  const making = emptyFolder(folder);
  await restoreBackup(backup, making);
  if (!isWhole(making)) throw new Error(`the database of ${backup} is damaged`);
  replace(making, folder);
}

/** Whether there is a database whose pages hold together. */
export function isWhole(folder: string): boolean {
  const path = join(folder, databaseFile);
  if (!existsSync(path)) return false;
  try {
    const database = new DatabaseSync(path);
    try {
      const [row] = database.prepare('pragma quick_check(1)').all();
      const [portals] = database.prepare('select count(*) as count from portals').all();
      return row?.quick_check === 'ok' && Number(portals?.count) > 0;
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}

/** What is there stays. */
export function putKeys(folder: string, keys: Keys): void {
  for (const file of Object.values(keyFiles)) {
    const text = keys[file];
    if (text !== undefined && !existsSync(join(folder, file)))
      writeFileSync(join(folder, file), text, { mode: 0o600, flush: true });
  }
}

/** All of them: the identity of the tunnel end, and those of the two doors with their certificates. */
export function readKeys(folder: string): Keys {
  return Object.fromEntries(Object.values(keyFiles).map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}

/** Tells the fleet what a person has changed in moat.toml since it was told last; what operators have changed since then stays. */
export async function applySeed(folder: string, seed: PortalSeed, now: number): Promise<boolean> {
  const wanted = wantedFacts(seed);
  const text = JSON.stringify(wanted);
  const path = join(folder, appliedFile);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return false;
  const database = await openDatabase(`sqlite:${join(folder, databaseFile)}`);
  try {
    const name = portalName(folder, seed.name);
    await change(database, { author, summary: 'moat.toml was changed', now }, async (edit) => {
      const row = await rowNamed(edit.tx, kinds.portal, name);
      await setRecord(edit, 'portal', name, patchOf(wanted, JSON.parse(String(row.settings))));
    });
  } finally {
    await database.close();
  }
  writeFileSafely(path, new Uint8Array(Buffer.from(text)));
  return true;
}

function patchOf(wanted: Wanted, settings: Readonly<Record<string, unknown>>) {
  const { addresses, networks, apiUrls } = wanted;
  return { addresses, networks, apiUrls, settings: withOurs(settings, wanted) };
}

/** As it was given at the first start. */
export function portalName(folder: string, given: string): string {
  return existsSync(join(folder, 'portal.toml')) ? readSettings(folder).name : given;
}

function emptyFolder(folder: string): string {
  const making = `${folder}.new`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true, mode: 0o700 });
  return making;
}

/** Images of releases are large and no part of a backup: they move along. */
function replace(making: string, folder: string): void {
  takePlace(making, folder);
  for (const kept of ['images', 'mail']) {
    const [from, to] = [join(`${folder}.old`, kept), join(folder, kept)];
    if (existsSync(from) && !existsSync(to)) renameSync(from, to);
  }
}
