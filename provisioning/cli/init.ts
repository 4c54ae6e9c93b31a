/** `portal init`: from an empty folder to a portal that can run. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { parsePrefix } from '../../appliance/lib/ip.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { change } from '../facts/change.ts';
import type { Edit } from '../facts/edit.ts';
import { addRecord } from '../facts/fleet.ts';
import { kinds } from '../facts/kinds.ts';
import { findRow } from '../facts/records.ts';
import { Refusal, refuse } from '../facts/refusal.ts';
import { keyFiles, makeKeys, publicText } from '../keys/files.ts';
import { databaseAddress, parseSettings } from '../settings/settings.ts';
import { contextOf, requestBy } from './context.ts';
import { show } from './output.ts';

export interface InitOptions {
  readonly name: string;
  readonly id?: string;
  readonly address: readonly string[];
  readonly network: readonly string[];
  readonly pool: readonly string[];
  readonly apiUrl?: readonly string[];
  readonly apiPort: string;
  readonly database: string;
}

const collect = (value: string, all: string[] | undefined) => [...(all ?? []), value];

export function initCommand(program: Command): void {
  program
    .command('init')
    .description('make a portal: its folder, keys, database, first address pool')
    .option('--name <name>', 'of this portal', 'portal')
    .option('--id <identity>', 'IKE identity, such as portal.example.com (default: NAME.moat)')
    .requiredOption('--address <ip...>', 'where boxes call', collect)
    .requiredOption('--network <prefix...>', 'the corporate networks behind the tunnel', collect)
    .option(
      '--pool <prefix/length...>',
      'addresses for sites and the length of one site, such as 10.64.0.0/10/24',
      collect,
    )
    .option('--api-url <url...>', 'where boxes reach the device API (default: https://ADDRESS:PORT)', collect)
    .option('--api-port <port>', 'TCP port of the device API', '8443')
    .option('--database <address>', 'sqlite:PATH or postgres://...', 'sqlite:moat.db')
    .action(async (options: InitOptions, command: Command) => {
      const context = contextOf(command);
      await initPortal(context.folder, { ...options, pool: options.pool ?? ['10.64.0.0/10/24'] }, (database, work) =>
        change(database, requestBy(context, 'portal init'), work),
      );
      const text = `portal '${options.name}' is ready in ${context.folder}: portal --dir ${context.folder} run\n`;
      show(context.output, { folder: context.folder, name: options.name, apiKey: apiKeyOf(context.folder) }, text);
    });
}

function apiKeyOf(folder: string): string {
  return publicText(readFileSync(join(folder, keyFiles.apiKey), 'utf8'));
}

/** Keys that are there already stay. */
export async function initPortal(
  folder: string,
  options: InitOptions,
  save: (database: Database, work: (edit: Edit) => Promise<void>) => Promise<unknown>,
): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'portal.toml');
  if (existsSync(path)) refuse('', `there is a portal in ${folder} already`, 'conflict');
  makeKeys(folder, options.name);
  const text = settingsText(options);
  const database = await openDatabase(databaseAddress(parseSettings(text, folder)));
  try {
    await save(database, (edit) => firstRecords(edit, folder, options));
  } finally {
    await database.close();
  }
  const address = databaseAddress(parseSettings(text, folder));
  if (address.startsWith('sqlite:')) chmodSync(address.slice('sqlite:'.length), 0o600);
  // Last, so that an init that failed may be tried again.
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
}

/** A second portal machine on the same database finds policy and pools there. */
async function firstRecords(edit: Edit, folder: string, options: InitOptions): Promise<void> {
  const { name, id, address, network, apiUrl, apiPort } = options;
  const urls = apiUrl ?? address.map((ip) => `https://${ip.includes(':') ? `[${ip}]` : ip}:${apiPort}`);
  await addRecord(edit, 'portal', {
    name,
    ikeId: id ?? `${name}.moat`,
    publicKey: publicText(readFileSync(join(folder, keyFiles.identity), 'utf8')),
    addresses: address,
    networks: network,
    apiUrls: urls,
    apiKey: apiKeyOf(folder),
  });
  if (!(await findRow(edit.tx, kinds.policy, 'default'))) await addRecord(edit, 'policy', { name: 'default' });
  for (const text of options.pool) await firstPool(edit, text);
}

async function firstPool(edit: Edit, text: string): Promise<void> {
  const cut = text.lastIndexOf('/');
  const prefix = text.slice(0, cut);
  try {
    parsePrefix(prefix);
  } catch {
    throw new Refusal([{ field: 'pool', message: `expected PREFIX/LENGTH such as 10.64.0.0/10/24, found '${text}'` }]);
  }
  const name = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const there = await findRow(edit.tx, kinds.pool, name);
  if (there?.prefix === prefix) return;
  await addRecord(edit, 'pool', { name, prefix, siteLength: Number(text.slice(cut + 1)) });
}

function settingsText({ name, database, apiPort }: InitOptions): string {
  return `# This portal machine. Facts about the fleet are in the database: see \`portal --help\`.
name = ${JSON.stringify(name)}
database = ${JSON.stringify(database)}

[deviceApi]
# Boxes enrol and fetch their configuration here; it may face the internet.
listen = "::"
port = ${Number(apiPort)}

[operatorApi]
# The page for administrators: inside only.
listen = "127.0.0.1"
port = 8444
# What browsers may call it by, besides localhost:
hosts = []

[metrics]
listen = "127.0.0.1"
port = 9464

[tunnel]
# Kept current for \`moat run --config\`; pidFile: a process that gets SIGHUP after each change.
configFile = "tunnel.json"

[mail]
from = "moat portal <portal@localhost>"
# smtp = "smtp://user:password@mail.example.com:587"
# Without smtp, mails become files here:
folder = "mail"
`;
}
