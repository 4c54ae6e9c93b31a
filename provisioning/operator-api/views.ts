/** What operators look at. */
import { sql } from 'kysely';
import { z } from 'zod';
import { concealed } from '../compile/conceal.ts';
import { listEvents } from '../facts/events.ts';
import { type Kind, type KindName, kindNames, kinds } from '../facts/kinds.ts';
import { meanings } from '../facts/meanings.ts';
import { type Row, rowNamed, toRecords } from '../facts/records.ts';
import { refuse } from '../facts/refusal.ts';
import { listRevisions, revisionDifferences } from '../facts/revisions.ts';
import { rolloutProgress } from '../facts/rollout.ts';
import { fleetPage, fleetSummary, type Health } from '../fleet/page.ts';
import { exportCsv, exportLines } from '../transfer/export.ts';
import type { Asked, Route } from './routes.ts';

const name = z.string().max(200);
const id = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const health = z.enum(['', 'up', 'degraded', 'down', 'waiting', 'revoked']);

export const viewRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/me',
    role: 'viewer',
    answer: async ({ session, settings }) => ({
      name: session.name,
      role: session.role,
      csrf: session.csrf,
      portal: settings.name,
    }),
  },
  {
    method: 'GET',
    path: '/fleet',
    role: 'viewer',
    query: z.strictObject({
      search: name.default(''),
      health: health.default(''),
      after: name.default(''),
      limit: z.coerce.number().int().min(1).max(500).default(100),
    }),
    answer: fleet,
  },
  { method: 'GET', path: '/devices/:name', role: 'viewer', answer: device },
  {
    method: 'GET',
    path: '/records/:kind',
    role: 'viewer',
    query: z.strictObject({ archived: z.enum(['', 'true']).default(''), after: id.default(0) }),
    answer: records,
  },
  { method: 'GET', path: '/records/:kind/:label', role: 'viewer', answer: record },
  {
    method: 'GET',
    path: '/releases/:name',
    role: 'viewer',
    answer: ({ database, params }) => rolloutProgress(database.queries, params.name ?? ''),
  },
  {
    method: 'GET',
    path: '/revisions',
    role: 'viewer',
    query: z.strictObject({ before: id.default(Number.MAX_SAFE_INTEGER) }),
    answer: ({ database, query }) => listRevisions(database.queries, { before: Number(query.before), limit: 100 }),
  },
  {
    method: 'GET',
    path: '/revisions/:id',
    role: 'viewer',
    answer: ({ database, params }) => revisionDifferences(database.queries, wholeNumber(params.id), 200),
  },
  {
    method: 'GET',
    path: '/events',
    role: 'viewer',
    query: z.strictObject({ device: name.optional(), before: id.optional() }),
    answer: ({ database, query }) =>
      listEvents(database.queries, { device: query.device as string, before: query.before as number, limit: 100 }),
  },
  { method: 'GET', path: '/live', role: 'viewer', answer: live },
  {
    method: 'GET',
    path: '/export',
    role: 'operator',
    query: z.strictObject({ format: z.enum(['jsonl', 'csv']).default('jsonl') }),
    answer: download,
  },
];

export function wholeNumber(text: string | undefined): number {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : refuse('id', 'expected a whole number');
}

export function kindOf(text: string | undefined): Kind {
  const found = kindNames.find((kind) => kind === text);
  return found ? kinds[found] : refuse('kind', `expected one of ${kindNames}`, 'missing');
}

async function fleet({ database: { queries }, now, query }: Asked) {
  const filter = {
    now,
    search: String(query.search),
    health: query.health as Health | '',
    after: String(query.after),
    limit: Number(query.limit),
  };
  const [summary, page] = await Promise.all([fleetSummary(queries, now), fleetPage(queries, filter)]);
  return { summary, ...page };
}

async function device({ database: { queries }, now, params }: Asked) {
  const row = await rowNamed(queries, kinds.device, params.name ?? '');
  const [facts] = await toRecords(queries, kinds.device, [row]);
  const ofDevice = async (kind: KindName, column: string, value: number) => {
    const query = sql<Row>`select * from ${sql.table(kinds[kind].table)} where ${sql.ref(column)} = ${value} order by id`;
    return toRecords(queries, kinds[kind], (await query.execute(queries)).rows);
  };
  const [site] = await ofDevice('site', 'id', Number(row.siteId));
  const compiled = await queries.selectFrom('compiled').selectAll().where('deviceId', '=', row.id).executeTakeFirst();
  const status = await queries.selectFrom('deviceStatus').selectAll().where('deviceId', '=', row.id).executeTakeFirst();
  const samples = await queries
    .selectFrom('samples')
    .selectAll()
    .where('deviceId', '=', row.id)
    .where('at', '>', now - 86_400_000)
    .orderBy('at')
    .execute();
  const only = { now, search: '', health: '', after: '', limit: 1, name: String(row.name) } as const;
  const [glance = null] = (await fleetPage(queries, only)).devices;
  return {
    facts,
    site,
    archived: row.archivedAt !== null,
    glance,
    ranges: await ofDevice('range', 'siteId', Number(row.siteId)),
    keys: await ofDevice('key', 'deviceId', row.id),
    configuration: compiled ? { revision: compiled.revision, ...concealed(JSON.parse(compiled.body)) } : null,
    status: status ? { ...status, report: JSON.parse(status.report) } : null,
    samples: samples.map(({ deviceId: _, ...sample }) => sample),
    events: await listEvents(queries, { device: String(row.name), limit: 20 }),
  };
}

async function records({ database: { queries }, params, query }: Asked) {
  const kind = kindOf(params.kind);
  const archived = query.archived === 'true' ? sql`is not null` : sql`is null`;
  const found = sql<Row>`select * from ${sql.table(kind.table)} where archived_at ${archived}
    and id > ${Number(query.after)} order by id limit 200`;
  const { rows } = await found.execute(queries);
  const all = await toRecords(queries, kind, rows);
  return {
    records: all,
    next: rows.length === 200 ? rows.at(-1)?.id : null,
    label: kind.label,
    meanings: meanings[kind.name],
  };
}

async function record({ database: { queries }, params }: Asked) {
  const kind = kindOf(params.kind);
  const [found] = await toRecords(queries, kind, [await rowNamed(queries, kind, params.label ?? '')]);
  return found;
}

async function live({ live: hub, response }: Asked): Promise<undefined> {
  if (!hub.add(response)) response.status(503).json({ error: 'busy' });
}

async function download({ database: { queries }, query, now, response }: Asked): Promise<undefined> {
  response.attachment(query.format === 'csv' ? 'moat-fleet.csv' : 'moat-fleet.jsonl');
  if (query.format === 'csv') {
    response.send(await exportCsv(queries));
    return;
  }
  for await (const line of exportLines(queries, { now })) response.write(`${line}\n`);
  response.end();
}
