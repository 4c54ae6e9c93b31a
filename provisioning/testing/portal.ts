/** A whole portal, on ports of the system's choice, with boxes that enrol in it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import type { DatabaseKind } from '../db/database.ts';
import { openDatabase } from '../db/database.ts';
import { DeviceClient, type PortalDoor } from '../device-client/client.ts';
import { change } from '../facts/change.ts';
import type { Edit } from '../facts/edit.ts';
import { makeCode } from '../fleet/code.ts';
import { keyFiles, makeKeys, publicText } from '../keys/files.ts';
import { type RunningPortal, startPortal } from '../service/service.ts';
import { parseSettings } from '../settings/settings.ts';
import { newDatabaseAddress, testedKinds } from './databases.ts';
import { firstFacts } from './facts.ts';

export interface TestPortal extends RunningPortal {
  readonly folder: string;
  readonly door: PortalDoor;
  /** Everything that was logged. */
  readonly logged: string[];
  edit(work: (edit: Edit) => Promise<unknown>): Promise<void>;
  /** A client with a key of its own, not enrolled. */
  box(): DeviceClient;
  /** A client that has enrolled as the device, which must be there. */
  enrolled(device: string): Promise<DeviceClient>;
}

/** `given`: a database that is there; `deviceApi`: further lines of that section of the settings. */
export async function startTestPortal(kind: DatabaseKind, given?: string, deviceApi = ''): Promise<TestPortal> {
  const folder = mkdtempSync(join(tmpdir(), 'moat-portal-'));
  makeKeys(folder, 'portal');
  const address = given ?? (await newDatabaseAddress(kind));
  const listener = 'listen = "127.0.0.1"\nport = 0\n';
  const settings = parseSettings(
    `name = "portal"\ndatabase = "${address}"\n[deviceApi]\n${listener}${deviceApi}[operatorApi]\n${listener}[metrics]\n${listener}`,
    folder,
  );
  const empty = await openDatabase(address);
  if (given === undefined) await firstFacts(empty);
  await empty.close();
  const logged: string[] = [];
  const portal = await startPortal(
    settings,
    pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
  );
  const apiKey = publicText(readFileSync(join(folder, keyFiles.apiKey), 'utf8'));
  const door = { url: `https://127.0.0.1:${portal.devicePort}`, apiKey };
  const box = () => new DeviceClient(door, generateKeyPairSync('ed25519').privateKey);
  return {
    ...portal,
    folder,
    door,
    logged,
    box,
    async edit(work) {
      await change(portal.database, { author: 'test', summary: 'test', now: Date.now() }, work);
    },
    async enrolled(device) {
      const client = box();
      const { code } = await makeCode(portal.database, { device, now: Date.now(), lifetimeSeconds: 60 });
      const answer = await client.call('POST', '/device/1/enroll', JSON.stringify({ code }));
      if (answer.status !== 200) throw new Error(`enrolling ${device}: ${answer.status} ${answer.text}`);
      return client;
    },
    async close() {
      await portal.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One test per database. */
export function onBothPortals(name: string, body: (portal: TestPortal, t: TestContext) => Promise<void>): void {
  for (const kind of testedKinds) {
    test(`${kind}: ${name}`, { timeout: 60_000 }, async (t) => {
      const portal = await startTestPortal(kind);
      try {
        await body(portal, t);
      } finally {
        await portal.close();
      }
    });
  }
}
