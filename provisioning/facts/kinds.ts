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
      email: text(email, { initial: '', about: 'where the welcome mail goes' }),
      note: text(note, { initial: '', about: 'for people' }),
    },
  },
  portal: {
    name: 'portal',
    table: 'portals',
    label: ['name'],
    unique: ['ikeId'],
    fields: {
      name: text(recordName),
      ikeId: text(ikeId, { about: 'its IKE identity, such as portal.example.com' }),
      publicKey: text(publicKey, { about: 'of its tunnel end, base64' }),
      addresses: json(addresses, { about: 'where boxes call, commas between' }),
      networks: json(networks, { about: 'the corporate networks behind it, commas between' }),
      apiUrls: json(z.array(httpsUrl).min(1).max(8), { about: 'where boxes reach its device API, commas between' }),
      apiKey: text(publicKey, { about: 'of its device API, base64' }),
      settings: json(settings, { initial: {}, about: 'of its tunnel end, JSON' }),
    },
  },
  policy: {
    name: 'policy',
    table: 'policies',
    label: ['name'],
    fields: {
      name: text(recordName),
      settings: json(settings, { initial: {}, about: 'parts of the configuration of its boxes, JSON; see --setting' }),
      note: text(note, { initial: '', about: 'for people' }),
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
        about: 'zones that it may start a conversation with, commas between; internet, tunnel',
      }),
    },
  },
  'dns-zone': {
    name: 'dns-zone',
    table: 'dnsZones',
    label: ['name'],
    fields: {
      name: text(domain),
      primaries: json(addresses, { about: 'addresses of the servers that it is fetched from, commas between' }),
      policy: reference('policy', { initial: null, about: 'only for sites of this policy; null: for all' }),
      tsigKey: text(tsigKey, {
        initial: '',
        conceal: concealTsigKey,
        about: 'of the transfers: NAME:SECRET (HMAC-SHA-256, secret in base64)',
      }),
      /** Its zones are taken from the same primaries, where they lie at or below one of these; null: no catalog (RFC 9432). */
      catalogWithin: json(z.array(domain).min(1).max(16).nullable(), {
        initial: null,
        about: 'a catalog of zones at or below these domains, commas between; null: a plain zone',
      }),
    },
  },
  pool: {
    name: 'pool',
    table: 'pools',
    label: ['name'],
    fields: {
      name: text(recordName),
      prefix: text(network, { about: 'the addresses, such as 10.64.0.0/10' }),
      siteLength: integer(1, 128, { about: 'length of the range of one site, such as 24' }),
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
      policy: reference('policy', { initial: 'default', about: 'its settings and zones' }),
      portal: reference('portal', { about: 'which its box calls' }),
      settings: json(settings, { initial: {}, about: 'laid over those of the policy, JSON; see --setting' }),
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
      site: reference('site', { about: 'which it serves: CUSTOMER/NAME' }),
      name: text(recordName),
      ikeId: text(ikeId, { about: 'its IKE identity' }),
      channel: text(recordName, { initial: 'stable', about: 'whose releases it follows' }),
      settings: json(settings, { initial: {}, about: 'laid over those of policy and site, JSON; see --setting' }),
      state: text(z.enum(['expected', 'enrolled', 'revoked']), { initial: 'expected' }),
      movedTo: json(movedTo, { initial: null }),
      note: text(note, { initial: '', about: 'for people' }),
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
      channel: text(recordName, { initial: 'stable', about: 'of the boxes that it is for' }),
      url: text(httpsUrl, { about: 'where the boxes fetch the bundle' }),
      sha256: text(sha256, { about: 'of the bundle, hexadecimal' }),
      signature: text(z.string().max(1000), { initial: '', about: 'of the bundle' }),
      state: text(z.enum(['draft', 'rolling', 'stopped']), { initial: 'draft', about: 'draft, rolling or stopped' }),
      percent: integer(0, 100, { initial: 0, about: 'share of the channel that it is offered to' }),
      maxFailures: integer(0, 1_000_000, { initial: 3, about: 'more boxes than this that went back stop it' }),
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
