/** What a portal does by itself: stops a roll-out that harms, and forgets what is old. */
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import { change } from '../facts/change.ts';
import { noteEvents, trimEvents } from '../facts/events.ts';
import { setRecord } from '../facts/fleet.ts';
import { failedReleases, liveReleases } from '../facts/rollout.ts';

const keptEvents = 100_000;

export async function housekeeping(database: Database, now: number, log: Logger): Promise<void> {
  await stopFailingReleases(database, now, log);
  await database.write(async (tx) => {
    await trimEvents(tx, keptEvents);
    await tx.deleteFrom('sessions').where('expiresAt', '<', now).execute();
  });
}

export async function stopFailingReleases(database: Database, now: number, log: Logger): Promise<void> {
  const releases = await liveReleases(database.queries);
  if (!releases.some(({ state }) => state === 'rolling')) return;
  const rows = await database.queries
    .selectFrom('deviceStatus')
    .select('report')
    .where('report', 'like', '%"state":"failed"%')
    .execute();
  const failed = failedReleases(
    releases,
    rows.map(({ report }) => report),
  );
  for (const { name, maxFailures } of failed) {
    const summary = `roll-out of ${name} stopped: more than ${maxFailures} boxes failed`;
    await change(database, { author: 'roll-out', summary, now }, (edit) =>
      setRecord(edit, 'release', name, { state: 'stopped' }),
    );
    await noteEvents(database, [{ at: now, kind: 'releaseStopped', device: '', detail: summary }]);
    log.warn({ release: name }, 'releaseStopped');
  }
}
