/** Backup while the portal runs, and the way back. A backup holds private keys: it is as secret as the portal. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { Command } from 'commander';
import { openDatabase } from '../db/database.ts';
import { refuse } from '../facts/refusal.ts';
import { keyFiles } from '../keys/files.ts';
import { databaseAddress, readSettings } from '../settings/settings.ts';
import { contextOf } from './context.ts';
import { show } from './output.ts';

const sqliteCopy = 'database.sqlite';
const postgresDump = 'database.pgdump';
const plainFiles = [...Object.values(keyFiles), 'portal.toml'];

export function backupCommands(program: Command): void {
  program
    .command('backup')
    .argument('<folder>', 'made by this')
    .description('database, keys and settings, while the portal runs')
    .action(async (target: string, _, command: Command) => {
      const { folder, output } = contextOf(command);
      await makeBackup(folder, target);
      show(output, { backup: target }, `backup of ${folder} in ${target}\n`);
    });
  program
    .command('restore')
    .argument('<folder>', 'a backup')
    .description('make a portal of a backup; --dir must hold none')
    .action(async (source: string, _, command: Command) => {
      const { folder, output } = contextOf(command);
      await restoreBackup(source, folder);
      show(output, { restored: folder }, `${folder} is as it was when ${source} was made\n`);
    });
}

export async function makeBackup(folder: string, target: string): Promise<void> {
  const address = databaseAddress(readSettings(folder));
  if (existsSync(target) && readdirSync(target).length > 0) refuse('folder', `${target} is not empty`, 'conflict');
  mkdirSync(target, { recursive: true, mode: 0o700 });
  if (address.startsWith('sqlite:')) {
    const source = new DatabaseSync(address.slice('sqlite:'.length), { readOnly: true });
    await backup(source, join(target, sqliteCopy));
    source.close();
  } else {
    execFileSync('pg_dump', ['--format=custom', `--dbname=${address}`, `--file=${join(target, postgresDump)}`]);
  }
  for (const file of plainFiles) copyFileSync(join(folder, file), join(target, file));
}

export async function restoreBackup(source: string, folder: string): Promise<void> {
  if (existsSync(join(folder, 'portal.toml'))) refuse('', `there is a portal in ${folder} already`, 'conflict');
  if (!existsSync(join(source, 'portal.toml')))
    refuse('folder', `${source} is no backup: it has no portal.toml`, 'missing');
  const address = databaseAddress({ ...readSettings(source), folder });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (address.startsWith('sqlite:')) {
    const path = address.slice('sqlite:'.length);
    if (existsSync(path)) refuse('', `there is a database in ${path} already`, 'conflict');
    copyFileSync(join(source, sqliteCopy), path);
  } else {
    // Into an empty database; an error of one statement takes all of them back.
    execFileSync('pg_restore', [
      '--single-transaction',
      '--no-owner',
      `--dbname=${address}`,
      join(source, postgresDump),
    ]);
  }
  for (const file of plainFiles) copyFileSync(join(source, file), join(folder, file));
  await (await openDatabase(address)).close();
}
