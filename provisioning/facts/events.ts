/** What happened, for people: enrolled, went silent, refused a configuration. Bounded; revisions are the history. */
import type { Database, Queries } from '../db/database.ts';

const eventKinds = [
  'enrolled',
  'enrolmentRefused',
  'keyRotated',
  'redirected',
  'configurationConfirmed',
  'configurationRefused',
  'configurationRolledBack',
  'healthChanged',
  'revoked',
  'updateInstalled',
  'updateFailed',
  'releaseStopped',
  'login',
  'loginRefused',
  'operatorsChanged',
  'mailSent',
  'mailFailed',
] as const;
export type EventKind = (typeof eventKinds)[number];

export interface PortalEvent {
  readonly at: number;
  readonly kind: EventKind;
  /** Name of the device it is about, or empty. */
  readonly device: string;
  readonly detail: string;
}

const longestDetail = 500;

export async function addEvents(queries: Queries, events: readonly PortalEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({ ...event, detail: plainText(event.detail).slice(0, longestDetail) }));
  await queries.insertInto('events').values(rows).execute();
}

/** Boxes say some of it: PostgreSQL keeps no zero octet, and one such sentence would take everybody's reports with it. */
function plainText(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').toWellFormed();
}

/** In a transaction of its own. */
export function noteEvents(database: Database, events: readonly PortalEvent[]): Promise<void> {
  return database.write((tx) => addEvents(tx, events));
}

export interface EventFilter {
  readonly device?: string | undefined;
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

/** The newest first. `after` and `before` are ids. */
export async function listEvents(queries: Queries, { device, after, before, limit }: EventFilter) {
  let query = queries.selectFrom('events').selectAll().orderBy('id', 'desc').limit(limit);
  if (device !== undefined) query = query.where('device', '=', device);
  if (after !== undefined) query = query.where('id', '>', after);
  if (before !== undefined) query = query.where('id', '<', before);
  return query.execute();
}

/** Keeps the newest `keep` events. */
export async function trimEvents(queries: Queries, keep: number): Promise<void> {
  const edge = await queries
    .selectFrom('events')
    .select('id')
    .orderBy('id', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (edge) await queries.deleteFrom('events').where('id', '<=', edge.id).execute();
}
