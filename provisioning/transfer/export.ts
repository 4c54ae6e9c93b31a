/** Everything that a fleet is made of, one JSON record a line, in an order in which it can be read back. */
import { sql } from 'kysely';
import type { Queries } from '../db/database.ts';
import { type Kind, kindNames, kinds } from '../facts/kinds.ts';
import { chunksOf, type Row, rowNamed, toRecords, toWholeRecords } from '../facts/records.ts';
import { writeCsv } from './csv.ts';

export const formatVersion = 1;

export interface ExportScope {
  /** Only what belongs to this customer, and what that refers to. */
  readonly customer?: string | undefined;
  /** Milliseconds since 1970, for the heading. */
  readonly now: number;
  /** With keys of zone transfers and the like; without, an import asks for them. */
  readonly secrets?: boolean | undefined;
}

/** Archived records stay behind; so do operators, codes, events, and every private key (none is in the database). */
export async function* exportLines(queries: Queries, scope: ExportScope): AsyncGenerator<string> {
  yield JSON.stringify({ kind: 'export', version: formatVersion, at: new Date(scope.now).toISOString() });
  const customerId = scope.customer === undefined ? null : (await rowNamed(queries, kinds.customer, scope.customer)).id;
  const read = scope.secrets ? toWholeRecords : toRecords;
  for (const name of kindNames) {
    const rows = await rowsInScope(queries, kinds[name], customerId);
    for (const chunk of chunksOf(rows)) {
      for (const record of await read(queries, kinds[name], chunk)) yield JSON.stringify({ kind: name, ...record });
    }
  }
}

async function rowsInScope(queries: Queries, kind: Kind, customerId: number | null): Promise<Row[]> {
  const table = sql.table(kind.table);
  const sites = sql`select id from sites where customer_id = ${customerId}`;
  const within: Partial<Record<Kind['name'], ReturnType<typeof sql>>> = {
    customer: sql`and id = ${customerId}`,
    site: sql`and customer_id = ${customerId}`,
    range: sql`and site_id in (${sites})`,
    device: sql`and site_id in (${sites})`,
    key: sql`and device_id in (select id from devices where site_id in (${sites}))`,
  };
  const condition = customerId === null ? sql`` : (within[kind.name] ?? sql``);
  const query = sql<Row>`select * from ${table} where archived_at is null ${condition} order by id`;
  return (await query.execute(queries)).rows;
}

export const csvColumns = ['customer', 'site', 'device', 'policy', 'portal', 'ranges', 'publicKey', 'note'] as const;

/** One device a line, for spreadsheets. */
export async function exportCsv(queries: Queries): Promise<string> {
  const rows = await queries
    .selectFrom('devices')
    .innerJoin('sites', 'sites.id', 'devices.siteId')
    .innerJoin('customers', 'customers.id', 'sites.customerId')
    .innerJoin('policies', 'policies.id', 'sites.policyId')
    .innerJoin('portals', 'portals.id', 'sites.portalId')
    .leftJoin('keys', (join) =>
      join.onRef('keys.deviceId', '=', 'devices.id').on('keys.state', 'in', ['active', 'factory']),
    )
    .select(['customers.name as customer', 'sites.name as site', 'devices.name as device', 'policies.name as policy'])
    .select(['portals.name as portal', 'sites.id as siteId', 'keys.publicKey', 'devices.note', 'devices.state'])
    .where('devices.archivedAt', 'is', null)
    .orderBy('devices.id')
    .execute();
  const ranges = await queries.selectFrom('ranges').select(['siteId', 'prefix']).orderBy('poolId').execute();
  const rangesOf = Map.groupBy(ranges, ({ siteId }) => siteId);
  const lines = rows.map(({ siteId, publicKey, ...row }) => ({
    ...row,
    publicKey: publicKey ?? '',
    ranges: (rangesOf.get(siteId) ?? []).map(({ prefix }) => prefix).join(' '),
  }));
  return writeCsv([csvColumns, ...lines.map((line) => csvColumns.map((column) => line[column]))]);
}
