/** The changes that people make, in the words they use: add a device, revoke it, send it to another portal. */
import { sql } from 'kysely';
import { familyOf, parsePrefix } from '../../appliance/lib/ip.ts';
import type { Edit } from './edit.ts';
import { type KindName, kinds } from './kinds.ts';
import { addPool, assignRange, poolShape } from './pools.ts';
import { type FactRecord, findRow, type Row } from './records.ts';
import { refuse } from './refusal.ts';

/** Adds a record of any kind with what belongs to it. @throws {Refusal} naming the wrong field. */
export async function addRecord(edit: Edit, kind: KindName, record: FactRecord): Promise<number> {
  if (kind === 'pool') return addPool(edit, record);
  if (kind === 'site') return addSite(edit, record);
  if (kind === 'device') return addDevice(edit, record);
  if (kind === 'range') return addRange(edit, record);
  return edit.insert(kind, record);
}

/** With a range of every pool in use. The portal need not be named where there is only one. */
async function addSite(edit: Edit, record: FactRecord): Promise<number> {
  const id = await edit.insert('site', { ...record, portal: record.portal ?? (await edit.onlyPortal()) });
  const site = await edit.byId('site', id);
  for (const pool of await livePools(edit)) await assignRange(edit, poolShape(pool), site);
  return id;
}

async function livePools(edit: Edit): Promise<Row[]> {
  const query = sql<Row>`select * from pools where archived_at is null order by id`;
  return (await query.execute(edit.tx)).rows;
}

/** A further range for a site: of a pool that is newer than the site. */
async function addRange(edit: Edit, record: FactRecord): Promise<number> {
  const pool = await edit.named('pool', textOf(record, 'pool'));
  const site = await edit.named('site', textOf(record, 'site'));
  if (pool.archivedAt !== null || site.archivedAt !== null) refuse('', 'pool or site is archived', 'conflict');
  await assignRange(edit, poolShape(pool), site);
  return site.id;
}

/** Gives a site a range of another pool, in the place of those of the same family. @throws {Refusal} */
export async function renumberSite(edit: Edit, site: string, pool: string): Promise<void> {
  const { id } = await edit.named('site', site);
  const shape = poolShape(await edit.named('pool', pool));
  const query = sql<Row>`select * from ranges where site_id = ${id} and archived_at is null order by id`;
  const { rows } = await query.execute(edit.tx);
  await addRange(edit, { pool, site });
  for (const range of rows) {
    const same = familyOf(parsePrefix(String(range.prefix)).address) === familyOf(parsePrefix(shape.prefix).address);
    if (same) await edit.archive('range', range);
  }
}

/** Before the record's schema has been asked. @throws {Refusal} */
export function textOf(record: FactRecord, field: string): string {
  const value = record[field];
  return typeof value === 'string' ? value : refuse(field, 'expected text in quotes');
}

/** `customer` instead of `site`: the device's home becomes a site of the same name. */
async function addDevice(edit: Edit, record: FactRecord): Promise<number> {
  for (const field of ['customer', 'name', 'site']) if (record[field] !== undefined) textOf(record, field);
  const { customer, policy, portal, ...device } = record;
  const site = device.site ?? (await siteForDevice(edit, record));
  if (device.site !== undefined && (customer ?? policy ?? portal) !== undefined) {
    refuse('site', 'has its customer, policy and portal already: give either a site or those');
  }
  const ikeId = device.ikeId ?? `${record.name}.${await portalDomain(edit, String(site))}`;
  await refuseSecondDevice(edit, String(site));
  return edit.insert('device', { ...device, site, ikeId });
}

async function siteForDevice(edit: Edit, { name, customer, policy, portal }: FactRecord): Promise<string> {
  if (customer === undefined) refuse('site', 'expected a site such as "acme/home", or a customer');
  await addSite(edit, { customer, name, ...(policy ? { policy } : {}), ...(portal ? { portal } : {}) });
  return `${customer}/${name}`;
}

async function portalDomain(edit: Edit, siteLabel: string): Promise<string> {
  const site = await edit.named('site', siteLabel);
  return String((await edit.byId('portal', Number(site.portalId))).ikeId);
}

async function refuseSecondDevice(edit: Edit, siteLabel: string): Promise<void> {
  const site = await edit.named('site', siteLabel);
  const other = await edit.tx
    .selectFrom('devices')
    .select('name')
    .where('siteId', '=', site.id)
    .where('archivedAt', 'is', null)
    .executeTakeFirst();
  if (other) refuse('site', `'${siteLabel}' is served by '${other.name}': archive that device first`, 'conflict');
}

/** Changes a record by its label. @throws {Refusal} */
export async function setRecord(edit: Edit, kind: KindName, label: string, patch: FactRecord): Promise<void> {
  const fixed: Partial<Record<KindName, readonly string[]>> = {
    // Ranges are counted from what these say; a new pool is the way to more room.
    pool: ['prefix', 'siteLength'],
    range: ['pool', 'slot', 'prefix', 'site'],
    key: ['publicKey', 'device', 'state'],
    device: ['state'],
  };
  const row = await edit.named(kind, label);
  for (const field of fixed[kind] ?? []) {
    if (patch[field] !== undefined) refuse(field, `cannot be changed${hints[`${kind}.${field}`] ?? ''}`);
  }
  await edit.update(kind, row, patch);
}

const hints: Readonly<Record<string, string>> = {
  'device.state': ': it follows from enrolling and revoking',
  'pool.prefix': ': add a pool',
  'pool.siteLength': ': add a pool',
};

export async function archiveRecord(edit: Edit, kind: KindName, label: string): Promise<void> {
  await edit.archive(kind, await edit.named(kind, label));
}

/** Its key opens nothing from now on; portals close its tunnel when they hear of it. */
export async function revokeDevice(edit: Edit, label: string): Promise<void> {
  const device = await edit.named('device', label);
  if (device.archivedAt !== null) refuse('', 'this device is archived', 'conflict');
  await edit.put('device', device, { state: 'revoked' });
}

export interface PortalAddress {
  readonly apiUrls: readonly string[];
  readonly apiKey: string;
}

/** The box is told on its next call; null calls it back. */
export async function redirectDevice(edit: Edit, label: string, to: PortalAddress | null): Promise<void> {
  const device = await edit.named('device', label);
  await edit.update('device', device, { movedTo: to });
}

/** Registers the key that the factory put into a box: it may enrol without a code. */
export async function addFactoryKey(edit: Edit, device: string, publicKey: string): Promise<void> {
  const known = await findRow(edit.tx, kinds.key, publicKey);
  if (known) refuse('publicKey', 'is the key of another device', 'conflict');
  await edit.insert('key', { device, publicKey, state: 'factory' });
}
