import assert from 'node:assert/strict';
import { addRecord } from '../facts/fleet.ts';
import { onBothPortals } from '../testing/portal.ts';
import { Reports } from './reports.ts';

const report = {
  version: '1.0.0',
  health: 'up',
  doctor: 'All is well.',
  appliedRevision: 1,
  confirmedRevision: 1,
} as const;

onBothPortals('a database that cannot be written for a moment costs neither a report nor an event', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const { queries } = portal.database;
  const { id } = await queries.selectFrom('devices').select('id').executeTakeFirstOrThrow();
  let away = true;
  const write: typeof portal.database.write = (work) =>
    away ? Promise.reject(new Error('the disk is full')) : portal.database.write(work);
  const reports = new Reports({ ...portal.database, write });
  reports.add(id, 'home-1', report, 1000);
  await assert.rejects(reports.flush(1000), /the disk is full/);
  reports.add(id, 'home-1', { ...report, doctor: 'Newer.' }, 2000);
  away = false;
  assert.deepEqual(await reports.flush(2000), [id]);
  const status = await queries.selectFrom('deviceStatus').select(['seenAt', 'report']).executeTakeFirstOrThrow();
  assert.deepEqual([status.seenAt, JSON.parse(status.report).doctor], [2000, 'Newer.']);
  const events = await queries.selectFrom('events').select('kind').execute();
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['healthChanged', 'configurationConfirmed'],
  );
  assert.deepEqual(await reports.flush(3000), []);
});
