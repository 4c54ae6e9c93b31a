import assert from 'node:assert/strict';
import { addRecord } from '../facts/fleet.ts';
import { goodReport } from '../testing/facts.ts';
import { onBothPortals } from '../testing/portal.ts';
import { Reports } from './reports.ts';

onBothPortals('a sentence that no database keeps is cleaned, and takes nobody with it', async (portal) => {
  for (const name of ['home-1', 'home-2']) {
    await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name }));
    const box = await portal.enrolled(name);
    const doctor = name === 'home-1' ? 'zero \u0000, half \ud800' : 'All is well.';
    const update = { release: '\u0000', state: 'failed', problem: '\u0000' };
    const answer = await box.call('POST', '/device/1/status', JSON.stringify({ ...goodReport, doctor, update }));
    assert.equal(answer.status, 204);
  }
  const seen = async () => (await portal.database.queries.selectFrom('deviceStatus').selectAll().execute()).length;
  for (let tries = 0; (await seen()) < 2 && tries < 60; tries += 1) await new Promise((done) => setTimeout(done, 50));
  assert.equal(await seen(), 2);
  assert.ok(!portal.logged.join('').includes('"level":50'), portal.logged.join(''));
});

onBothPortals('a database that cannot be written for a moment costs neither a report nor an event', async (portal) => {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: 'home-1' }));
  const { queries } = portal.database;
  const { id } = await queries.selectFrom('devices').select('id').executeTakeFirstOrThrow();
  let away = true;
  const write: typeof portal.database.write = (work) =>
    away ? Promise.reject(new Error('the disk is full')) : portal.database.write(work);
  const reports = new Reports({ ...portal.database, write });
  reports.add(id, 'home-1', goodReport, 1000);
  await assert.rejects(reports.flush(1000), /the disk is full/);
  reports.add(id, 'home-1', { ...goodReport, doctor: 'Newer.' }, 2000);
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
