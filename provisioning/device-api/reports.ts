/**
 * Status reports. They are many and each is soon replaced by the next, so they are gathered and written once a second in
 * one transaction; what a crash loses, the boxes say again within a minute.
 */
import type { Database, Tx } from '../db/database.ts';
import { addEvents, type PortalEvent } from '../facts/events.ts';
import { chunksOf } from '../facts/records.ts';
import { updateSentence } from '../facts/rollout.ts';
import type { StatusReport } from './messages.ts';

const sampleEveryMs = 300_000;
const keepSamplesMs = 86_400_000;
/** While the database cannot be written. */
const mostEventsKept = 20_000;

interface Known {
  readonly health: string;
  readonly confirmedRevision: number;
  readonly refusedRevision: number;
  /** What was last said of an update: its name and state. */
  readonly update: string;
  readonly sampledAt: number;
}

interface Pending {
  readonly device: string;
  readonly at: number;
  readonly report: StatusReport;
}

export class Reports {
  readonly #database: Database;
  readonly #known = new Map<number, Known>();
  #pending = new Map<number, Pending>();
  #events: PortalEvent[] = [];
  #prunedAt = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** What is known from before a restart, so that a restart is no event. */
  async load(): Promise<void> {
    const rows = await this.#database.queries.selectFrom('deviceStatus').selectAll().execute();
    for (const { deviceId, health, confirmedRevision, report, seenAt } of rows) {
      const { refused, update } = JSON.parse(report) as Partial<StatusReport>;
      const told = { refusedRevision: refused?.revision ?? 0, update: wordOf(update) };
      this.#known.set(deviceId, { health, confirmedRevision, ...told, sampledAt: seenAt });
    }
  }

  /** `at` in milliseconds since 1970, by our clock. */
  add(deviceId: number, device: string, report: StatusReport, at: number): void {
    const known = this.#known.get(deviceId);
    this.#events.push(...eventsOf(known, device, report, at));
    this.#pending.set(deviceId, { device, at, report });
    this.#known.set(deviceId, {
      health: report.health,
      confirmedRevision: report.confirmedRevision,
      refusedRevision: report.refused?.revision ?? 0,
      update: wordOf(report.update),
      sampledAt: known?.sampledAt ?? 0,
    });
  }

  /** Ids of the devices whose status was written. */
  async flush(now: number): Promise<number[]> {
    const pending = this.#pending;
    const events = this.#events;
    if (pending.size === 0 && events.length === 0) return [];
    this.#pending = new Map();
    this.#events = [];
    try {
      await this.#database.write(async (tx) => {
        for (const chunk of chunksOf([...pending])) await writeStatus(tx, chunk);
        await this.#writeSamples(tx, pending, now);
        for (const chunk of chunksOf(events)) await addEvents(tx, [...chunk]);
      });
    } catch (error) {
      this.#putBack(pending, events);
      throw error;
    }
    return [...pending.keys()];
  }

  /** For the next try: a database that is away for a while costs no event. */
  #putBack(pending: ReadonlyMap<number, Pending>, events: readonly PortalEvent[]): void {
    this.#pending = new Map([...pending, ...this.#pending]);
    this.#events = [...events, ...this.#events].slice(-mostEventsKept);
  }

  async #writeSamples(tx: Tx, pending: ReadonlyMap<number, Pending>, now: number): Promise<void> {
    const due = [...pending].flatMap(([deviceId, { report, at }]) => {
      const known = this.#known.get(deviceId);
      if (!report.tunnel || !known || at - known.sampledAt < sampleEveryMs) return [];
      this.#known.set(deviceId, { ...known, sampledAt: at });
      const { lossPermille, roundTripMs, receivedKbps, sentKbps } = report.tunnel;
      const values = { lossPermille, roundTripMs, receivedKbps, sentKbps };
      const whole = Object.entries(values).map(([name, value]) => [name, Math.round(value)]);
      return [{ deviceId, at, ...(Object.fromEntries(whole) as typeof values) }];
    });
    for (const chunk of chunksOf(due)) {
      await tx
        .insertInto('samples')
        .values([...chunk])
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    if (now - this.#prunedAt < sampleEveryMs) return;
    this.#prunedAt = now;
    await tx
      .deleteFrom('samples')
      .where('at', '<', now - keepSamplesMs)
      .execute();
  }
}

async function writeStatus(tx: Tx, chunk: readonly (readonly [number, Pending])[]): Promise<void> {
  // A device that was purged in the meantime must not take the others' reports with it.
  const ids = chunk.map(([deviceId]) => deviceId);
  const there = await tx.selectFrom('devices').select('id').where('id', 'in', ids).execute();
  const alive = new Set(there.map(({ id }) => id));
  const rows = chunk
    .filter(([deviceId]) => alive.has(deviceId))
    .map(([deviceId, { at, report }]) => ({
      deviceId,
      seenAt: at,
      health: report.health,
      version: report.version,
      appliedRevision: report.appliedRevision,
      confirmedRevision: report.confirmedRevision,
      report: JSON.stringify(report),
    }));
  if (rows.length === 0) return;
  await tx
    .insertInto('deviceStatus')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('deviceId').doUpdateSet(({ ref }) => ({
        seenAt: ref('excluded.seenAt'),
        health: ref('excluded.health'),
        version: ref('excluded.version'),
        appliedRevision: ref('excluded.appliedRevision'),
        confirmedRevision: ref('excluded.confirmedRevision'),
        report: ref('excluded.report'),
      })),
    )
    .execute();
}

function wordOf(update: StatusReport['update']): string {
  return update ? `${update.release} ${update.state}` : '';
}

function eventsOf(known: Known | undefined, device: string, report: StatusReport, at: number): PortalEvent[] {
  const events: PortalEvent[] = [];
  const { health, doctor, confirmedRevision, refused, update } = report;
  if (known?.health !== health) {
    events.push({ at, kind: 'healthChanged', device, detail: `${known?.health ?? 'new'} -> ${health}. ${doctor}` });
  }
  if (confirmedRevision !== (known?.confirmedRevision ?? 0)) {
    events.push({ at, kind: 'configurationConfirmed', device, detail: `revision ${confirmedRevision}` });
  }
  if (refused && refused.revision !== known?.refusedRevision) {
    const kind = refused.rolledBack ? 'configurationRolledBack' : 'configurationRefused';
    events.push({ at, kind, device, detail: `revision ${refused.revision}: ${refused.problem}` });
  }
  if (update && update.state !== 'downloading' && wordOf(update) !== known?.update) {
    const kind = update.state === 'failed' ? 'updateFailed' : 'updateInstalled';
    events.push({ at, kind, device, detail: updateSentence(update) });
  }
  return events;
}
