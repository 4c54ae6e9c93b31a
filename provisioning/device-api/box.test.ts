/** The box's own client (`appliance/supervisor/portal.ts`) against a whole portal: what one says, the other understands. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
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
}

async function until(what: string, holds: () => boolean | Promise<boolean>, patienceMs = 10_000): Promise<number> {
  const started = performance.now();
  while (!(await holds())) {
    assert.ok(performance.now() - started < patienceMs, `not within ${patienceMs} ms: ${what}`);
    await sleep(20);
  }
  return performance.now() - started;
}

interface Box {
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
  const client = new PortalClient({ files, managed: stand, log, factoryKeyFile: null });
  client.start();
  const stop = async () => {
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { files, stand, client, said, stop };
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
    // Nobody holds a connection now: the change comes as a datagram.
    await until('hung up', async () => /^moat_device_connections 0$/m.test(await page(portal)));
    await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
    const took = await until('the change', () => box.stand.revision === 2);
    assert.ok(took < 1000, `${took} ms`);

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
  await until('the new portal has seen it', async () => (await statusOf(other)) !== undefined, 40_000);
  await until('the old doors are forgotten', () => box.files.enrolment()?.doors.length === 1, 40_000);
  assert.equal(box.files.enrolment()?.doors[0]?.apiKey, other.door.apiKey);
});

test('where no datagrams come the question is held: a change still arrives within a second', async (t) => {
  const portal = await startTestPortal('sqlite', undefined, 'wakeByUdp = false\n');
  t.after(() => portal.close());
  const box = await boxOf(portal, 'home-1');
  t.after(box.stop);
  await until('its configuration', () => box.stand.revision === 1);
  await until('it asks and waits', async () => /^moat_waiting_devices 1$/m.test(await page(portal)));
  await portal.edit((to) => setRecord(to, 'device', 'home-1', { settings: { tunnel: { mtu: 1400 } } }));
  const took = await until('the change', () => box.stand.revision === 2);
  assert.ok(took < 1000, `${took} ms`);
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
