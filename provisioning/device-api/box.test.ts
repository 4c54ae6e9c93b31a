/** The box's own client (`appliance/supervisor/portal.ts`) against a whole portal: what one says, the other understands. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { parseConfig } from '../../appliance/config/schema.ts';
import { PortalClient } from '../../appliance/supervisor/portal.ts';
import type { InForce, Managed } from '../../appliance/supervisor/portal-account.ts';
import { PortalFiles } from '../../appliance/supervisor/portal-files.ts';
import type { ApplianceStatus } from '../../appliance/supervisor/status.ts';
import { addRecord, redirectDevice, revokeDevice, setRecord } from '../facts/fleet.ts';
import { makeCode } from '../fleet/code.ts';
import { onBothPortals, startTestPortal, type TestPortal } from '../testing/portal.ts';
import { exportLines } from '../transfer/export.ts';
import { importLines } from '../transfer/import.ts';

/** An appliance that puts everything in force at once, or takes it back. */
class Stand implements Managed {
  readonly #files: PortalFiles;
  revision: number | null = null;
  loads = 0;
  problem: string | null = null;

  constructor(files: PortalFiles) {
    this.#files = files;
  }

  async load(): Promise<void> {
    this.loads += 1;
    if (this.problem === null) this.revision = parseConfig(JSON.parse(this.#files.configText() ?? '')).revision;
  }

  inForce(): InForce {
    return { revision: this.revision, state: 'settled', problem: this.problem, inside: [] };
  }

  async glance(): Promise<ApplianceStatus> {
    const tunnel = { state: 'up', peers: [] };
    return { version: '1.0.0', sentence: 'All is well.', problems: [], tunnel } as unknown as ApplianceStatus;
  }

  async clockIsKept(): Promise<boolean> {
    return true;
  }
}

/** For busy machines; and a release is asked for at every turn. */
const patience = { helloAnswerMs: 40_000, releaseAskMs: 0 };

/** Patience is for busy machines; what must be fast is measured in the lab. */
async function until(what: string, holds: () => boolean | Promise<boolean>, patienceMs = 50_000): Promise<void> {
  const started = performance.now();
  while (!(await holds())) {
    assert.ok(performance.now() - started < patienceMs, `not within ${patienceMs} ms: ${what}`);
    await sleep(20);
  }
}

interface Box {
  /** Its state directory. */
  readonly folder: string;
  readonly files: PortalFiles;
  readonly stand: Stand;
  readonly client: PortalClient;
  readonly said: string[];
  stop(): Promise<void>;
}

async function boxOf(portal: TestPortal, device: string): Promise<Box> {
  await portal.edit((to) => addRecord(to, 'device', { customer: 'acme', name: device }));
  const folder = mkdtempSync(join(tmpdir(), 'moat-box-'));
  const files = new PortalFiles(folder);
  const { code } = await makeCode(portal.database, { device, now: Date.now(), lifetimeSeconds: 60 });
  const part = (text: string | Buffer) => Buffer.from(text).toString('base64url');
  files.take(`moat1.${part(portal.door.url)}.${part(Buffer.from(portal.door.apiKey, 'base64'))}.${code}`);
  const stand = new Stand(files);
  const said: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void said.push(line) });
  const client = new PortalClient({ files, managed: stand, log, factoryKeyFile: null, ...patience });
  client.start();
  const stop = async () => {
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, files, stand, client, said, stop };
}

const statusOf = (portal: TestPortal) =>
  portal.database.queries.selectFrom('deviceStatus').selectAll().executeTakeFirst();

onBothPortals(
  'a box enrols by itself, hears of a change by a datagram, reports, renews its key, is revoked',
  async (portal, t) => {
    const box = await boxOf(portal, 'home-1');
    t.after(box.stop);
    await until('its configuration', () => box.stand.revision === 1);
    await until('its report', async () => (await statusOf(portal))?.confirmedRevision === 1);
    // Nobody holds a connection now, and the next report is far: the change can only come as a datagram.
    await until('hung up', async () => /^moat_device_connections 0$/m.test(await page(portal)));
    await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
    await until('the change', () => box.stand.revision === 2);

    const before = readFileSync(box.files.keyFile, 'utf8');
    utimesSync(box.files.keyFile, 0, 0);
    await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: {} }));
    await until('a new key', () => readFileSync(box.files.keyFile, 'utf8') !== before);
    await until('the change after it', () => box.stand.revision === 3);
    const keys = await portal.database.queries.selectFrom('keys').select('state').orderBy('id').execute();
    assert.deepEqual(
      keys.map(({ state }) => state),
      ['retired', 'active'],
    );

    await portal.edit((to) => revokeDevice(to, 'home-1'));
    await until('its sentence', () => box.said.join('').includes('the portal has revoked this box'));
    assert.equal(box.stand.revision, 3);
    assert.ok(!box.said.join('').includes('PRIVATE'));
  },
);

async function page(portal: TestPortal): Promise<string> {
  return (await fetch(`http://127.0.0.1:${portal.metricsPort}/metrics`)).text();
}

onBothPortals('a configuration that a box takes back is reported, with its reason', async (portal, t) => {
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  await until('its configuration', () => box.stand.revision === 1);
  box.stand.problem = 'The new configuration did not work (no answer); the one before is in force.';
  await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
  await until('the refusal', async () => ((await statusOf(portal))?.report ?? '').includes('"rolledBack":true'));
  const report = JSON.parse((await statusOf(portal))?.report ?? '{}');
  assert.deepEqual([report.appliedRevision, report.refused.revision], [1, 2]);
});

onBothPortals('a release is laid down for the updater, and the portal says why a box went back', async (portal, t) => {
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  const release = { url: 'https://x.example/1.1.0.bundle', sha256: 'a'.repeat(64), state: 'rolling', percent: 100 };
  await portal.edit((to) => addRecord(to, 'release', { name: '1.1.0', ...release }));
  const settings = (mtu: number) =>
    portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu } } }));
  await settings(1400);
  await until('the offer', () => box.files.releaseText() !== null);
  const { url, sha256 } = release;
  assert.deepEqual(JSON.parse(box.files.releaseText() ?? ''), { release: '1.1.0', url, sha256, signature: '' });

  const problem = 'The tunnel did not come up within 240 s.';
  const update = { release: '1.1.0', state: 'failed', problem };
  writeFileSync(join(box.folder, 'portal', 'update.json'), JSON.stringify(update));
  await until('the reason', async () => ((await statusOf(portal))?.report ?? '').includes(problem));
  const events = async () =>
    (await portal.database.queries.selectFrom('events').selectAll().execute()).filter(({ kind }) =>
      /^update/.test(kind),
    );
  await until('an event', async () => (await events()).length > 0);
  const [{ kind, detail } = { kind: '', detail: '' }] = await events();
  assert.deepEqual([kind, detail], ['updateFailed', `1.1.0 does not run here: ${problem}`]);

  await portal.edit((to) => setRecord(to, 'release', '1.1.0', { state: 'stopped' }));
  await settings(1380);
  await until('withdrawn', () => box.files.releaseText() === null);
  assert.equal((await events()).length, 1);
});

onBothPortals('a box follows to another portal with its key, and not to one that shows another', async (portal, t) => {
  const other = await startTestPortal('sqlite');
  t.after(() => other.close());
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  await until('its configuration', () => box.stand.revision === 1);
  const forged = { apiUrls: [other.door.url], apiKey: Buffer.alloc(32, 7).toString('base64') };
  await portal.edit((to) => redirectDevice(to, 'home-1', forged));
  await until('its sentence', () => box.said.join('').includes('another key than the one that was pinned'));
  // The old door is asked again from time to time: it leads to the right one in the end.
  await portal.edit((to) => redirectDevice(to, 'home-1', null));
  const lines: string[] = [];
  for await (const line of exportLines(portal.database.queries, { now: Date.now() })) lines.push(line);
  await other.edit((to) => importLines(to, lines.join('\n'), { portal: 'portal', existing: 'skip' }));
  await portal.edit((to) => redirectDevice(to, 'home-1', { apiUrls: [other.door.url], apiKey: other.door.apiKey }));
  await until('the new portal has seen it', async () => (await statusOf(other)) !== undefined);
  await until('the old doors are forgotten', () => box.files.enrolment()?.doors.length === 1);
  assert.equal(box.files.enrolment()?.doors[0]?.apiKey, other.door.apiKey);
});

test('where no datagrams come the question is held: a change still arrives', async (t) => {
  const portal = await startTestPortal('sqlite', undefined, 'wakeByUdp = false\n');
  t.after(() => portal.close());
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  await until('its configuration', () => box.stand.revision === 1);
  await until('it asks and waits', async () => /^moat_waiting_devices 1$/m.test(await page(portal)));
  await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
  await until('the change', () => box.stand.revision === 2);
});

test('a portal that is gone changes nothing at the box, and is not asked in a hurry', async (t) => {
  const portal = await startTestPortal('sqlite');
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  await until('its report', async () => (await statusOf(portal))?.confirmedRevision === 1);
  const { loads } = box.stand;
  await portal.close();
  box.stand.problem = 'Something to report, now.';
  await until('its sentence', () => box.said.join('').includes('portalNotReached'));
  await sleep(3000);
  assert.deepEqual([box.stand.revision, box.stand.loads], [1, loads]);
  // A line for each new reason, not for each try.
  assert.ok(box.said.filter((line) => line.includes('portalNotReached')).length <= 2);
});
