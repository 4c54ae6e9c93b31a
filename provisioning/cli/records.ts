/** `portal KIND add|list|show|set|archive` for every kind, made from the table of kinds. */

import { type Command, Option } from 'commander';
import { sql } from 'kysely';
import type { Field } from '../facts/fields.ts';
import { addRecord, archiveRecord, renumberSite, setRecord } from '../facts/fleet.ts';
import { type Kind, type KindName, kinds } from '../facts/kinds.ts';
import { meanings } from '../facts/meanings.ts';
import { type FactRecord, type Row, rowNamed, toRecords } from '../facts/records.ts';
import { refuse } from '../facts/refusal.ts';
import { changeAndShow, contextOf } from './context.ts';
import { fieldList, show, table } from './output.ts';

/** Kinds that have a command of their own, and what it does not offer. */
export const recordCommands: Readonly<Partial<Record<KindName, RecordCommand>>> = {
  customer: {
    about: 'whom sites and devices belong to',
    examples: ['customer add acme --email home@acme.example', 'customer archive acme --preview'],
  },
  site: {
    about: 'one home: CUSTOMER/NAME, with its address ranges',
    examples: ['site add acme/home --policy default', 'site renumber acme/home --pool second'],
  },
  device: {
    about: 'one box',
    without: ['state', 'movedTo'],
    examples: [
      'device add home-1 --customer acme --setting lan.interface=work0',
      'device set home-1 --setting tunnel.mtu=1400 --preview',
      'device revoke home-1',
    ],
  },
  pool: {
    about: 'private addresses that sites get ranges of',
    examples: ['pool add second --prefix 10.200.0.0/16 --site-length 24', 'pool list'],
  },
  policy: {
    about: 'settings that many sites share',
    examples: ['policy add quiet --setting peer.livenessSeconds=60', 'site set acme/home --policy quiet'],
  },
  zone: {
    about: 'which zones of a home may talk: POLICY/NAME',
    examples: ['zone add default/work --reaches internet,guests', 'zone list'],
  },
  'dns-zone': {
    about: 'corporate zones that boxes are secondaries of',
    examples: [
      'dns-zone add corp.example --primaries 10.1.0.53,10.1.0.54',
      'dns-zone add catalog.corp.example --primaries 10.1.0.53 --catalog-within corp.example',
    ],
  },
  portal: {
    about: 'the other ends of the tunnels',
    examples: ['portal show portal', 'portal set portal --networks 10.1.0.0/16,10.2.0.0/16 --preview'],
  },
  release: {
    about: 'versions of the box and their roll-out',
    examples: [
      'release add 1.1.0 --url https://files.example/moat-1.1.0-pc.bundle --sha256 DIGEST',
      'release set 1.1.0 --state rolling --percent 5',
      'release progress 1.1.0',
    ],
  },
};

interface RecordCommand {
  readonly about: string;
  /** Fields that it does not offer. */
  readonly without?: readonly string[];
  /** What people would type, without the name of the program. */
  readonly examples: readonly string[];
}

const labelHint = (kind: Kind) => kind.label.map((field) => field.toUpperCase()).join('/');
const optionName = (field: string) => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function addRecordCommands(program: Command): void {
  for (const [name, { about, without = [], examples }] of Object.entries(recordCommands)) {
    const kind = kinds[name as KindName];
    const group = program.command(name).description(about);
    group.addHelpText('after', `\nFor example:\n${examples.map((words) => `  portal ${words}\n`).join('')}`);
    const fields = Object.keys(kind.fields).filter((field) => !kind.label.includes(field) && !without.includes(field));
    addCommand(group, kind, fields);
    setCommand(group, kind, fields);
    listCommand(group, kind);
    if (name === 'site') renumberCommand(group);
    group
      .command('show')
      .argument('<name>', labelHint(kind))
      .description('one of them, a field a line')
      .action((label: string, _, command: Command) => showRecord(command, kind, label));
    group
      .command('archive')
      .argument('<name>', labelHint(kind))
      .description('take out of use, with everything that belongs to it; can be undone until purged')
      .option('--preview', 'show what would change, and change nothing')
      .action(async (label: string, _, command: Command) => {
        await changeAndShow(contextOf(command), `archive ${name} ${label}`, (to) =>
          archiveRecord(to, kind.name, label),
        );
      });
  }
}

function renumberCommand(group: Command): void {
  group
    .command('renumber')
    .argument('<name>', 'CUSTOMER/NAME')
    .description('addresses of another pool instead of those of the same family that it has')
    .requiredOption('--pool <name>', 'that the new range comes from')
    .option('--preview', 'show what would change, and change nothing')
    .action(async (label: string, { pool }: { pool: string }, command: Command) => {
      await changeAndShow(contextOf(command), `renumber ${label}`, (to) => renumberSite(to, label, pool));
    });
}

function fieldOption(kind: Kind, field: string): Option {
  const { shape = 'value', meaning = '' } = meanings[kind.name][field] ?? {};
  const { initial } = kind.fields[field] ?? {};
  const shown = ['string', 'number'].includes(typeof initial) && initial !== '' ? ` (default: ${initial})` : '';
  return new Option(`--${optionName(field)} <${shape}>`, `${meaning}${shown}`);
}

function fieldOptions(command: Command, kind: Kind, fields: readonly string[]): Command {
  for (const field of fields) command.addOption(fieldOption(kind, field));
  if (fields.includes('settings')) {
    const collect = (value: string, all: string[] = []) => [...all, value];
    command.option('--setting <path=value...>', 'one setting, such as tunnel.mtu=1400; "null" takes it away', collect);
  }
  return command.option('--preview', 'show what would change, and change nothing');
}

function addCommand(group: Command, kind: Kind, fields: readonly string[]): void {
  const add = group.command('add').argument('<name>', labelHint(kind)).description(`a new ${kind.name}`);
  const command = fieldOptions(add, kind, fields);
  if (kind.name === 'device') {
    command.option('--customer <name>', 'makes a site of the same name');
    command.option('--policy <name>', 'of that site').option('--portal <name>', 'of that site');
  }
  command.action(async (label: string, options: Record<string, unknown>, self: Command) => {
    const record = { ...labelFields(kind, label), ...recordOf(kind, options, {}) };
    await changeAndShow(contextOf(self), `add ${kind.name} ${label}`, (to) => addRecord(to, kind.name, record));
  });
}

function setCommand(group: Command, kind: Kind, fields: readonly string[]): void {
  const last = kind.label.at(-1) ?? 'name';
  const set = group
    .command('set')
    .argument('<name>', labelHint(kind))
    .description('change what is named, leave the rest');
  fieldOptions(set, kind, fields)
    .option('--rename <name>', 'a new name')
    .action(async (label: string, options: Record<string, unknown>, self: Command) => {
      await changeAndShow(contextOf(self), `set ${kind.name} ${label}`, async (to) => {
        const row = await to.named(kind.name, label);
        const old = typeof row.settings === 'string' ? JSON.parse(row.settings) : {};
        const rename = typeof options.rename === 'string' ? { [last]: options.rename } : {};
        await setRecord(to, kind.name, label, { ...recordOf(kind, options, old), ...rename });
      });
    });
}

function listCommand(group: Command, kind: Kind): void {
  group
    .command('list')
    .description('all of them')
    .option('--archived', 'what is archived instead')
    .action(async (options: { archived?: boolean }, self: Command) => {
      const { output, withDatabase } = contextOf(self);
      await withDatabase(async ({ queries }) => {
        const condition = options.archived ? sql`is not null` : sql`is null`;
        const query = sql<Row>`select * from ${sql.table(kind.table)} where archived_at ${condition} order by id`;
        const records = await toRecords(queries, kind, (await query.execute(queries)).rows);
        const columns = Object.keys(kind.fields).filter((field) => field !== 'settings' && field !== 'note');
        show(output, records, table(records, columns));
      });
    });
}

async function showRecord(command: Command, kind: Kind, label: string): Promise<void> {
  const { output, withDatabase } = contextOf(command);
  await withDatabase(async ({ queries }) => {
    const [record = {}] = await toRecords(queries, kind, [await rowNamed(queries, kind, label)]);
    show(output, record, fieldList(record));
  });
}

/** `acme/home` is `{ customer: "acme", name: "home" }`. */
function labelFields(kind: Kind, label: string): FactRecord {
  const [first = '', second] = kind.label;
  if (second === undefined) return { [first]: label };
  const cut = label.lastIndexOf('/');
  if (cut < 1) refuse('name', `expected ${labelHint(kind)}`);
  return { [first]: label.slice(0, cut), [second]: label.slice(cut + 1) };
}

/** Options as a record; `--setting` is laid over the settings that are there. */
function recordOf(kind: Kind, options: Readonly<Record<string, unknown>>, oldSettings: FactRecord): FactRecord {
  const record: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (typeof value !== 'string' || name === 'rename') continue;
    record[name] = fieldValue(kind.fields[name], value);
  }
  const single = options.setting as string[] | undefined;
  if (!single) return record;
  const start = (record.settings as FactRecord | undefined) ?? oldSettings;
  return { ...record, settings: single.reduce(withSetting, start) };
}

/** Lists may be written with commas; everything else of type json is JSON. `null`: none, where there may be none. */
function fieldValue(field: Field | undefined, value: string): unknown {
  const { type = 'text', initial } = field ?? {};
  if (type === 'reference' && initial === null && value === 'null') return null;
  if (type === 'integer') return /^-?\d+$/.test(value) ? Number(value) : value;
  if (type !== 'json') return value;
  return /^[[{]|^null$/.test(value) ? jsonOr(value, value) : value.split(',').map((part) => part.trim());
}

function jsonOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

function withSetting(settings: FactRecord, assignment: string): FactRecord {
  const cut = assignment.indexOf('=');
  if (cut < 1) refuse('setting', `expected PATH=VALUE, such as tunnel.mtu=1400; found '${assignment}'`);
  const value = assignment.slice(cut + 1);
  return withPath(settings, assignment.slice(0, cut).split('.'), jsonOr(value, value));
}

function withPath(section: FactRecord, [key = '', ...rest]: readonly string[], value: unknown): FactRecord {
  const entries = Object.entries(section).filter(([name]) => name !== key);
  if (rest.length === 0) return Object.fromEntries(value === null ? entries : [...entries, [key, value]]);
  const below = section[key];
  const inner = typeof below === 'object' && below !== null && !Array.isArray(below) ? (below as FactRecord) : {};
  return Object.fromEntries([...entries, [key, withPath(inner, rest, value)]]);
}
