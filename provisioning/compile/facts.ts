/** Reads what the compiler needs, many devices at a time. */
import type { Queries } from '../db/database.ts';
import type { PortalRow } from '../db/tables.ts';
import { chunksOf } from '../facts/records.ts';
import type { DeviceFacts, PortalFacts } from './device.ts';
import type { DnsZoneFacts } from './lan.ts';

type Selected<T> = { [K in keyof T]: T[K] extends { readonly __select__: infer S } ? S : T[K] };
type Section = Readonly<Record<string, unknown>>;

export interface LoadedFacts {
  readonly deviceId: number;
  readonly portalId: number;
  readonly facts: DeviceFacts;
}

export function portalFacts(row: Omit<Selected<PortalRow>, 'id'>): PortalFacts {
  return {
    name: row.name,
    ikeId: row.ikeId,
    publicKey: row.publicKey,
    addresses: JSON.parse(row.addresses),
    networks: JSON.parse(row.networks),
    settings: JSON.parse(row.settings),
  };
}

/** In the order of their ids; ids that are not there are left out. */
export async function loadFacts(queries: Queries, deviceIds: readonly number[]): Promise<LoadedFacts[]> {
  const shared = await loadShared(queries);
  const loaded: LoadedFacts[] = [];
  for (const chunk of chunksOf([...deviceIds].sort((a, b) => a - b))) {
    loaded.push(...(await loadChunk(queries, chunk, shared)));
  }
  return loaded;
}

type Shared = Awaited<ReturnType<typeof loadShared>>;

/** The few records that many devices have in common. */
async function loadShared(queries: Queries) {
  const portals = await queries.selectFrom('portals').selectAll().execute();
  const policies = await queries.selectFrom('policies').select(['id', 'settings']).execute();
  const dnsZones = await queries
    .selectFrom('dnsZones')
    .select(['name', 'primaries', 'policyId', 'tsigKey', 'catalogWithin'])
    .where('archivedAt', 'is', null)
    .orderBy('name')
    .execute();
  const zones = await queries
    .selectFrom('zones')
    .select(['policyId', 'name', 'reaches'])
    .where('archivedAt', 'is', null)
    .orderBy('name')
    .execute();
  return {
    zones: Map.groupBy(
      zones.map(({ reaches, ...zone }) => ({ ...zone, reaches: JSON.parse(reaches) as string[] })),
      ({ policyId }) => policyId,
    ),
    portals: new Map(portals.map((row) => [row.id, portalFacts(row)])),
    policies: new Map(policies.map((row) => [row.id, JSON.parse(row.settings) as Section])),
    dnsZones: dnsZones.map(({ policyId, ...row }) => ({ policyId, zone: dnsZoneFacts(row) })),
  };
}

function dnsZoneFacts(row: { name: string; primaries: string; tsigKey: string; catalogWithin: string }): DnsZoneFacts {
  const cut = row.tsigKey.lastIndexOf(':');
  const within = JSON.parse(row.catalogWithin) as string[] | null;
  return {
    name: row.name,
    primaries: JSON.parse(row.primaries),
    ...(cut < 0 ? {} : { key: { name: row.tsigKey.slice(0, cut), secret: row.tsigKey.slice(cut + 1) } }),
    ...(within === null ? {} : { within }),
  };
}

async function loadChunk(queries: Queries, ids: readonly number[], shared: Shared): Promise<LoadedFacts[]> {
  const devices = await queries
    .selectFrom('devices')
    .innerJoin('sites', 'sites.id', 'devices.siteId')
    .select(['devices.id', 'devices.name', 'devices.ikeId', 'devices.settings', 'devices.state'])
    .select(['devices.archivedAt', 'sites.id as siteId', 'sites.settings as siteSettings'])
    .select(['sites.policyId', 'sites.portalId'])
    .where('devices.id', 'in', ids)
    .orderBy('devices.id')
    .execute();
  const siteIds = devices.map(({ siteId }) => siteId);
  const ranges = await rangesOf(queries, siteIds);
  const keys = await activeKeysOf(queries, ids);
  return devices.map((row) => {
    const portal = shared.portals.get(row.portalId);
    if (!portal) throw new Error(`site ${row.siteId} has no portal`);
    const facts: DeviceFacts = {
      name: row.name,
      ikeId: row.ikeId,
      publicKey: keys.get(row.id) ?? null,
      mayCall: row.state === 'enrolled' && row.archivedAt === null,
      portal,
      ranges: ranges.get(row.siteId) ?? [],
      dnsZones: shared.dnsZones
        .filter(({ policyId }) => policyId === null || policyId === row.policyId)
        .map(({ zone }) => zone),
      zones: (shared.zones.get(row.policyId) ?? []).map(({ name, reaches }) => ({ name, reaches })),
      settings: [shared.policies.get(row.policyId) ?? {}, JSON.parse(row.siteSettings), JSON.parse(row.settings)],
    };
    return { deviceId: row.id, portalId: row.portalId, facts };
  });
}

async function rangesOf(queries: Queries, siteIds: readonly number[]): Promise<Map<number, string[]>> {
  const found = new Map<number, string[]>();
  if (siteIds.length === 0) return found;
  const rows = await queries
    .selectFrom('ranges')
    .innerJoin('sites', 'sites.id', 'ranges.siteId')
    .select(['siteId', 'prefix'])
    .where('siteId', 'in', siteIds)
    // An archived site keeps what it had; a site in use has given its archived ranges up.
    .where(({ eb, or }) => or([eb('ranges.archivedAt', 'is', null), eb('sites.archivedAt', 'is not', null)]))
    .orderBy('poolId')
    .execute();
  for (const { siteId, prefix } of rows) found.set(siteId, [...(found.get(siteId) ?? []), prefix]);
  return found;
}

async function activeKeysOf(queries: Queries, deviceIds: readonly number[]): Promise<Map<number, string>> {
  if (deviceIds.length === 0) return new Map();
  const rows = await queries
    .selectFrom('keys')
    .select(['deviceId', 'publicKey'])
    .where('deviceId', 'in', deviceIds)
    .where('state', '=', 'active')
    .where('archivedAt', 'is', null)
    .execute();
  return new Map(rows.map(({ deviceId, publicKey }) => [deviceId, publicKey]));
}
