/** A roll-out as its operator sees it: who has it, who went back and why, and when it stops by itself. */
import assert from 'node:assert/strict';
import pino from 'pino';
import { addRecord } from '../facts/fleet.ts';
import { loggedIn } from '../testing/operator.ts';
import { onBothPortals, type TestPortal } from '../testing/portal.ts';
import { stopFailingReleases } from './housekeeping.ts';

const silent = pino({ enabled: false });

function rolling(portal: TestPortal, maxFailures: number): Promise<void> {
  const file = { url: 'https://files.example/1.1.0.bundle', sha256: '0'.repeat(64) };
  return portal.edit((to) =>
    addRecord(to, 'release', { name: '1.1.0', ...file, state: 'rolling', percent: 100, maxFailures }),
  );
}

async function reported(portal: TestPortal, name: string, update: object): Promise<void> {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name }));
  const box = await portal.enrolled(name);
  const report = { version: '1.0.0', health: 'up', appliedRevision: 1, confirmedRevision: 1, update };
  assert.equal((await box.call('POST', '/device/1/status', JSON.stringify(report))).status, 204);
  // Said again a minute later: no second event.
  assert.equal((await box.call('POST', '/device/1/status', JSON.stringify(report))).status, 204);
}

onBothPortals('a box that took its update back says why on every page, and stops the roll-out', async (portal) => {
  await rolling(portal, 1);
  const viewer = await loggedIn(portal, 'vic', 'viewer');
  await reported(portal, 'good', { release: '1.1.0', state: 'installed' });
  await reported(portal, 'busy', { release: '1.1.0', state: 'downloading' });
  await reported(portal, 'old', { release: '1.0.9', state: 'failed', problem: 'Long ago.' });
  await reported(portal, 'bad', { release: '1.1.0', state: 'failed', problem: 'The tunnel did not come up.' });
  const progress = async () => (await viewer.call('GET', '/releases/1.1.0')).json;
  for (let tries = 0; (await progress()).failed.length === 0 && tries < 50; tries += 1) {
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.deepEqual(await progress(), {
    channel: 4,
    offered: 4,
    downloading: 1,
    installed: 1,
    failed: [{ device: 'bad', problem: 'The tunnel did not come up.' }],
  });
  const { devices } = (await viewer.call('GET', '/fleet?search=bad')).json;
  assert.equal(devices[0].update, '1.1.0 does not run here: The tunnel did not come up.');
  const events = (await viewer.call('GET', '/events')).json as { kind: string; device: string }[];
  const told = events.filter(({ kind }) => kind.startsWith('update')).map(({ kind, device }) => `${kind} ${device}`);
  assert.deepEqual(told.toSorted(), ['updateFailed bad', 'updateFailed old', 'updateInstalled good']);

  await stopFailingReleases(portal.database, Date.now(), silent);
  const state = async () => (await viewer.call('GET', '/records/release/1.1.0')).json.state;
  assert.equal(await state(), 'rolling', 'one may fail');
  await reported(portal, 'worse', { release: '1.1.0', state: 'failed' });
  for (let tries = 0; (await progress()).failed.length < 2 && tries < 50; tries += 1) {
    await new Promise((done) => setTimeout(done, 50));
  }
  await stopFailingReleases(portal.database, Date.now(), silent);
  assert.equal(await state(), 'stopped');
});
