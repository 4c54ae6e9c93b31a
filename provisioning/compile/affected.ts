/** Which devices a change of records touches: only their configurations are compiled again. */
import type { Queries } from '../db/database.ts';
import type { KindName } from '../facts/kinds.ts';
import { chunksOf, type Row } from '../facts/records.ts';

export interface TouchedRecord {
  readonly kind: KindName;
  readonly before: Row | null;
  readonly after: Row | null;
}

interface Reach {
  readonly devices: Set<number>;
  readonly sites: Set<number>;
  readonly policies: Set<number>;
  readonly portals: Set<number>;
  everything: boolean;
}

/** How far a row of each kind reaches; kinds that are not here are in no configuration. */
const reaches: Partial<Record<KindName, (row: Row, reach: Reach) => void>> = {
  device: (row, reach) => reach.devices.add(row.id),
  key: (row, reach) => reach.devices.add(Number(row.deviceId)),
  site: (row, reach) => reach.sites.add(row.id),
  range: (row, reach) => reach.sites.add(Number(row.siteId)),
  policy: (row, reach) => reach.policies.add(row.id),
  zone: (row, reach) => reach.policies.add(Number(row.policyId)),
  portal: (row, reach) => reach.portals.add(row.id),
  'dns-zone': (row, reach) => {
    if (row.policyId === null) reach.everything = true;
    else reach.policies.add(Number(row.policyId));
  },
};

export async function affectedDevices(queries: Queries, touched: readonly TouchedRecord[]): Promise<number[]> {
  const reach: Reach = {
    devices: new Set(),
    sites: new Set(),
    policies: new Set(),
    portals: new Set(),
    everything: false,
  };
  for (const { kind, before, after } of touched) {
    for (const row of [before, after]) if (row) reaches[kind]?.(row, reach);
  }
  if (reach.everything) return everyDevice(queries);
  const ids = new Set(reach.devices);
  for (const column of ['sites.id', 'sites.policyId', 'sites.portalId'] as const) {
    const among = { 'sites.id': reach.sites, 'sites.policyId': reach.policies, 'sites.portalId': reach.portals };
    for (const chunk of chunksOf([...among[column]])) {
      for (const id of await devicesWhere(queries, column, chunk)) ids.add(id);
    }
  }
  return [...ids];
}

async function everyDevice(queries: Queries): Promise<number[]> {
  const rows = await queries.selectFrom('devices').select('id').execute();
  return rows.map(({ id }) => id);
}

async function devicesWhere(
  queries: Queries,
  column: 'sites.id' | 'sites.policyId' | 'sites.portalId',
  values: readonly number[],
): Promise<number[]> {
  const rows = await queries
    .selectFrom('devices')
    .innerJoin('sites', 'sites.id', 'devices.siteId')
    .select('devices.id')
    .where(column, 'in', values)
    .execute();
  return rows.map(({ id }) => id);
}
