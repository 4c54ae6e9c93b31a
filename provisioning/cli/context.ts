/** What every subcommand needs: the portal's folder, its database, and who is asking. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { shownDifferences } from '../compile/conceal.ts';
import type { ConfigurationChange } from '../compile/store.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { type ChangeRequest, change, type Outcome } from '../facts/change.ts';
import type { Edit } from '../facts/edit.ts';
import type { RecordDifference } from '../facts/revisions.ts';
import { databaseAddress, type PortalSettings, readSettings } from '../settings/settings.ts';
import { cell, type Output, show } from './output.ts';

export interface Context {
  readonly folder: string;
  readonly output: Output;
  readonly preview: boolean;
  settings(): PortalSettings;
  /** Opens the database for `work` and closes it behind it. */
  withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T>;
}

const defaultFolder = '/var/lib/moat-portal';

export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<{ dir?: string; json?: boolean; preview?: boolean }>();
  const folder = options.dir ?? process.env.MOAT_PORTAL_DIR ?? defaultFolder;
  const settings = () => readSettings(folder);
  return {
    folder,
    output: { json: options.json ?? false, write: (text) => process.stdout.write(text) },
    preview: options.preview ?? false,
    settings,
    async withDatabase(work) {
      const database = await openDatabase(databaseAddress(settings()));
      try {
        return await work(database);
      } finally {
        await database.close();
      }
    },
  };
}

export function requestBy(context: Context, summary: string): ChangeRequest {
  const author = `${process.env.SUDO_USER ?? userInfo().username}@cli`;
  return { author, summary, now: Date.now(), preview: context.preview };
}

/** Performs a change and says what came of it. */
export async function changeAndShow<T>(
  context: Context,
  summary: string,
  work: (edit: Edit) => Promise<T>,
): Promise<Outcome<T>> {
  return context.withDatabase(async (database) => {
    const outcome = await change(database, requestBy(context, summary), work);
    show(context.output, outcomeJson(outcome), outcomeText(context, outcome));
    return outcome;
  });
}

function outcomeJson({ revision, records, configurations }: Outcome<unknown>) {
  return { revision, records, configurations: configurations.map(({ device, revision }) => ({ device, revision })) };
}

function outcomeText(context: Context, outcome: Outcome<unknown>): string {
  const { records } = outcome;
  if (outcome.revision === null) return 'nothing to change\n';
  const more = outcome.changes.length - records.length;
  const lines = records.map(recordText).join('') + (more > 0 ? `and ${more} more records\n` : '');
  const devices = outcome.configurations.map(({ device }) => device);
  const named = devices.length > 5 ? `${devices.slice(0, 5).join(', ')} ...` : devices.join(', ');
  const configurations = `${devices.length} configuration(s) change${devices.length ? `: ${named}` : ''}\n`;
  if (!context.preview) return `${lines}revision ${outcome.revision}; ${configurations}`;
  return `${lines}${outcome.configurations.slice(0, 3).map(configurationText).join('')}preview only; ${configurations}`;
}

export function recordText({ kind, label, what, fields }: RecordDifference): string {
  const changed = fields.map(({ path, before, after }) => {
    if (before === undefined) return `    ${path} = ${cell(after)}\n`;
    return `    ${path}: ${cell(before)} -> ${cell(after)}\n`;
  });
  return `${what} ${kind} ${cell(label)}\n${what === 'archived' ? '' : changed.join('')}`;
}

function configurationText({ device, revision, before, after }: ConfigurationChange): string {
  const found = shownDifferences(before === '' ? {} : JSON.parse(before), JSON.parse(after));
  const lines = found.map(({ path, before: was, after: is }) => `    ${path}: ${cell(was)} -> ${cell(is)}\n`);
  return `configuration ${revision} of ${device}\n${lines.join('')}`;
}
