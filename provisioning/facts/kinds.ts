/**
 * Every kind of record that people keep here, as one table: import, export, the `portal` command, the operator API,
 * revisions and undo all read it, so a new kind or field is written down once (and a migration adds its column).
 */
import { z } from 'zod';
import type { Tables } from '../db/tables.ts';
import {
  concealTsigKey,
  email,
  type Field,
  fileUrl,
  httpsUrl,
  ikeId,
  integer,
  ip,
  json,
  network,
  note,
  publicKey,
  recordName,
  reference,
  settings,
  text,
  title,
  tsigKey,
} from './fields.ts';

export const kindNames = [
  'customer',
  'portal',
  'policy',
  'zone',
  'dns-zone',
  'pool',
  'site',
  'range',
  'device',
  'key',
  'release',
] as const;
export type KindName = (typeof kindNames)[number];

export interface Kind {
  readonly name: KindName;
  readonly table: keyof Tables;
  readonly fields: Readonly<Record<string, Field>>;
  /** The fields that name a record for people: `acme`, or `acme/home` where the first is a reference. */
  readonly label: readonly string[];
  /** The reference that this record lives and is archived with; every other reference keeps its target in use. */
  readonly owner?: string;
  /** Fields besides the label that no two records may share. */
  readonly unique?: readonly string[];
}

const domain = z
  .string()
  .max(253)
  .regex(/^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a domain');
const movedTo = z.strictObject({ apiUrls: z.array(httpsUrl).min(1).max(8), apiKey: publicKey }).nullable();
const addresses = z.array(ip).min(1, 'expected at least one IP address').max(16);
const networks = z.array(network).min(1, 'expected at least one network, such as "10.1.0.0/16"').max(256);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in 64 hexadecimal digits');

/** In the order in which records can be imported: what is referred to comes first. */
export const kinds: Readonly<Record<KindName, Kind>> = {
  customer: {
    name: 'customer',
    table: 'customers',
    label: ['name'],
    fields: {
      name: text(title),
      email: text(email, { initial: '' }),
      note: text(note, { initial: '' }),
    },
  },
  portal: {
    name: 'portal',
    table: 'portals',
    label: ['name'],
    unique: ['ikeId'],
    fields: {
      name: text(recordName),
      ikeId: text(ikeId),
      publicKey: text(publicKey),
      addresses: json(addresses),
      networks: json(networks),
      apiUrls: json(z.array(httpsUrl).min(1).max(8)),
      apiKey: text(publicKey),
      settings: json(settings, { initial: {} }),
    },
  },
  policy: {
    name: 'policy',
    table: 'policies',
    label: ['name'],
    fields: {
      name: text(recordName),
      settings: json(settings, { initial: {} }),
      note: text(note, { initial: '' }),
    },
  },
  zone: {
    name: 'zone',
    table: 'zones',
    label: ['policy', 'name'],
    owner: 'policy',
    fields: {
      policy: reference('policy'),
      name: text(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a zone name such as "work"')),
      reaches: json(z.array(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)).max(32), {
        initial: [],
      }),
    },
  },
  'dns-zone': {
    name: 'dns-zone',
    table: 'dnsZones',
    label: ['name'],
    fields: {
      name: text(domain),
      primaries: json(addresses),
      policy: reference('policy', { initial: null }),
      tsigKey: text(tsigKey, {
        initial: '',
        conceal: concealTsigKey,
      }),
      /** Its zones are taken from the same primaries, where they lie at or below one of these; null: no catalog (RFC 9432). */
      catalogWithin: json(z.array(domain).min(1).max(16).nullable(), {
        initial: null,
      }),
    },
  },
  pool: {
    name: 'pool',
    table: 'pools',
    label: ['name'],
    fields: {
      name: text(recordName),
      prefix: text(network),
      siteLength: integer(1, 128),
    },
  },
  site: {
    name: 'site',
    table: 'sites',
    label: ['customer', 'name'],
    owner: 'customer',
    fields: {
      customer: reference('customer'),
      name: text(title),
      policy: reference('policy', { initial: 'default' }),
      portal: reference('portal'),
      settings: json(settings, { initial: {} }),
    },
  },
  range: {
    name: 'range',
    table: 'ranges',
    label: ['prefix'],
    owner: 'site',
    fields: {
      pool: reference('pool'),
      site: reference('site'),
      slot: integer(0, Number.MAX_SAFE_INTEGER),
      prefix: text(network),
    },
  },
  device: {
    name: 'device',
    table: 'devices',
    label: ['name'],
    owner: 'site',
    unique: ['ikeId'],
    fields: {
      site: reference('site'),
      name: text(recordName),
      ikeId: text(ikeId),
      channel: text(recordName, { initial: 'stable' }),
      settings: json(settings, { initial: {} }),
      state: text(z.enum(['expected', 'enrolled', 'revoked']), { initial: 'expected' }),
      movedTo: json(movedTo, { initial: null }),
      note: text(note, { initial: '' }),
    },
  },
  key: {
    name: 'key',
    table: 'keys',
    label: ['publicKey'],
    owner: 'device',
    fields: {
      device: reference('device'),
      publicKey: text(publicKey),
      state: text(z.enum(['factory', 'active', 'next', 'retired']), { initial: 'factory' }),
    },
  },
  release: {
    name: 'release',
    table: 'releases',
    label: ['name'],
    fields: {
      name: text(recordName),
      channel: text(recordName, { initial: 'stable' }),
      url: text(fileUrl),
      sha256: text(sha256),
      signature: text(z.string().max(1000), { initial: '' }),
      state: text(z.enum(['draft', 'rolling', 'stopped']), { initial: 'draft' }),
      percent: integer(0, 100, { initial: 0 }),
      maxFailures: integer(0, 1_000_000, { initial: 3 }),
    },
  },
};

export function isKindName(name: string): name is KindName {
  return (kindNames as readonly string[]).includes(name);
}

/** Column of a field: references are stored as the id of what they name. */
export function columnOf(name: string, field: Field): string {
  return field.type === 'reference' ? `${name}Id` : name;
}

/** What a new record is made from. */
export function creationSchema(kind: Kind): z.ZodType<Record<string, unknown>> {
  const shape = Object.entries(kind.fields).map(([name, field]) => [
    name,
    'initial' in field ? field.schema.optional() : field.schema,
  ]);
  return z.strictObject(Object.fromEntries(shape)).transform((given) => withInitials(kind, given));
}

function withInitials(kind: Kind, given: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(kind.fields).map(([name, field]) => [name, given[name] === undefined ? field.initial : given[name]]),
  );
}

/** What a record is changed by: any of its fields. */
export function patchSchema(kind: Kind): z.ZodType<Record<string, unknown>> {
  const shape = Object.entries(kind.fields).map(([name, field]) => [name, field.schema.optional()]);
  return z.strictObject(Object.fromEntries(shape));
}
