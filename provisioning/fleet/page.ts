/** The fleet at a glance: how many boxes are well, and a page of them. */
import { sql } from 'kysely';
import type { Queries } from '../db/database.ts';
import { updateOf, updateSentence } from '../facts/rollout.ts';

/** A box reports once a minute; after three times that it is down, whatever it said last. */
const silentMilliseconds = 180_000;

export type Health = 'up' | 'degraded' | 'down' | 'waiting' | 'revoked';

/** One expression for both: what a page says of a box and what the sums say of the fleet cannot differ. */
function health(now: number) {
  return sql<Health>`case
    when devices.state = 'revoked' then 'revoked'
    when devices.state = 'expected' then 'waiting'
    when device_status.seen_at is null or device_status.seen_at < ${now - silentMilliseconds} then 'down'
    else device_status.health end`;
}

export type FleetSummary = Readonly<Record<'devices' | Health, number>>;

export async function fleetSummary(queries: Queries, now: number): Promise<FleetSummary> {
  const query = sql<{ health: Health; count: number }>`select ${health(now)} as health, count(*) as count
    from devices left join device_status on device_status.device_id = devices.id
    where devices.archived_at is null group by 1`;
  const { rows } = await query.execute(queries);
  const of = (name: Health) => rows.find((row) => row.health === name)?.count ?? 0;
  const devices = rows.reduce((sum, { count }) => sum + count, 0);
  return {
    devices,
    up: of('up'),
    degraded: of('degraded'),
    down: of('down'),
    waiting: of('waiting'),
    revoked: of('revoked'),
  };
}

export interface FleetFilter {
  readonly now: number;
  readonly limit: number;
  /** Part of the name of the device, site or customer. */
  readonly search: string;
  readonly health: Health | '';
  /** The page begins behind this device name. */
  readonly after: string;
  /** Only this device. */
  readonly name?: string;
}

export interface FleetDevice {
  readonly name: string;
  readonly customer: string;
  readonly site: string;
  readonly health: Health;
  readonly version: string;
  readonly seenAt: number | null;
  readonly revision: number;
  readonly confirmedRevision: number;
  /** The box's own sentence. */
  readonly why: string;
  /** What became of an update, for people; empty when there was none. */
  readonly update: string;
  readonly lossPermille: number | null;
  readonly roundTripMs: number | null;
}

export async function fleetPage(
  queries: Queries,
  filter: FleetFilter,
): Promise<{ devices: FleetDevice[]; next: string | null }> {
  const { now, limit, search, after } = filter;
  const pattern = `%${search.toLowerCase().replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  const found = sql`(lower(devices.name) like ${pattern} escape '\\' or lower(sites.name) like ${pattern} escape '\\'
    or lower(customers.name) like ${pattern} escape '\\')`;
  const query = sql<FleetDevice & { report: string | null; state: string }>`
    select devices.name, customers.name as customer, sites.name as site, ${health(now)} as health,
      device_status.version, device_status.seen_at, compiled.revision, device_status.confirmed_revision,
      device_status.report, devices.state
    from devices join sites on sites.id = devices.site_id join customers on customers.id = sites.customer_id
    left join device_status on device_status.device_id = devices.id
    left join compiled on compiled.device_id = devices.id
    where devices.archived_at is null and devices.name > ${after}
      ${filter.name === undefined ? sql`` : sql`and devices.name = ${filter.name}`}
      ${search === '' ? sql`` : sql`and ${found}`}
      ${filter.health === '' ? sql`` : sql`and ${health(now)} = ${filter.health}`}
    order by devices.name limit ${limit + 1}`;
  const { rows } = await query.execute(queries);
  const devices = rows.slice(0, limit).map(({ report, state, ...row }) => asDevice(row, report, state, now));
  return { devices, next: rows.length > limit ? (devices.at(-1)?.name ?? null) : null };
}

function asDevice(row: FleetDevice, report: string | null, state: string, now: number): FleetDevice {
  const said = (report === null ? {} : JSON.parse(report)) as {
    doctor?: string;
    tunnel?: { lossPermille?: number; roundTripMs?: number };
  };
  return {
    ...row,
    version: row.version ?? '',
    confirmedRevision: row.confirmedRevision ?? 0,
    why: sentence(row, said.doctor ?? '', state, now),
    update: updateSentence(updateOf(report)),
    lossPermille: said.tunnel?.lossPermille ?? null,
    roundTripMs: said.tunnel?.roundTripMs ?? null,
  };
}

function sentence(row: FleetDevice, doctor: string, state: string, now: number): string {
  if (state === 'expected') return 'Waits for the box to be plugged in and enrolled.';
  if (state === 'revoked') return 'Revoked: its key opens nothing.';
  if (row.seenAt === null) return 'Enrolled, but has never reported.';
  if (row.health !== 'down' || row.seenAt >= now - silentMilliseconds) return doctor;
  const minutes = Math.round((now - row.seenAt) / 60_000);
  return `Silent for ${minutes} minutes.${doctor ? ` Its last word: ${doctor}` : ''}`;
}
