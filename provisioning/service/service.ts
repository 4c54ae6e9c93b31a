/** `portal run`: the doors, the timers, and the one place where they meet. */
import { readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Database, openDatabase } from '../db/database.ts';
import { follow } from '../db/feed.ts';
import { deviceApp } from '../device-api/app.ts';
import { Reports } from '../device-api/reports.ts';
import { Waiting } from '../device-api/waiting.ts';
import { openWakeDesk, type WakeDesk } from '../device-api/wake-socket.ts';
import { keyFiles } from '../keys/files.ts';
import { operatorApp } from '../operator-api/app.ts';
import { Live } from '../operator-api/live.ts';
import { databaseAddress, inFolder, type PortalSettings } from '../settings/settings.ts';
import { Changes } from './changes.ts';
import { housekeeping } from './housekeeping.ts';
import { metricsServer } from './metrics-server.ts';
import { count, deviceTls, limitConnections, listen, operatorTls, portOf } from './servers.ts';
import { TunnelFile } from './tunnel-file.ts';

export interface RunningPortal {
  readonly database: Database;
  readonly devicePort: number;
  readonly operatorPort: number;
  readonly metricsPort: number;
  close(): Promise<void>;
}

const flushMs = 1000;
const housekeepingMs = 10_000;

/** @throws {Error} when a port or the database cannot be had; then nothing is left running. */
export async function startPortal(settings: PortalSettings, log: Logger): Promise<RunningPortal> {
  const database = await openDatabase(databaseAddress(settings));
  const now = () => Date.now();
  const waiting = new Waiting();
  const reports = new Reports(database);
  const live = new Live();
  await reports.load();
  const wakeDesk = await wakeDeskOf(settings, log);
  const { configFile, pidFile } = settings.tunnel;
  const tunnelFile = configFile === '' ? null : new TunnelFile(inFolder(settings, configFile), pidFile);
  const heard = (revision: number, deviceIds: readonly number[]) => live.changed(revision, deviceIds);
  const wakes = wakeDesk?.wakes ?? null;
  const changes = new Changes({ database, portalName: settings.name, waiting, wakes, tunnelFile, heard });
  const failed = (err: unknown) => log.error({ err }, 'portalWorkFailed');
  await changes.catchUp();
  const feed = await follow(database, () => changes.catchUp().catch(failed));

  const counters = { reports: 0 };
  const flush = async () => {
    const ids = await reports.flush(now());
    counters.reports += ids.length;
    if (ids.length > 0) live.reported(ids.length);
  };
  const timers = [
    every(flushMs, () => flush().catch(failed)),
    every(housekeepingMs, () => housekeeping(database, now(), log).catch(failed)),
  ];
  const app = deviceApp({ database, reports, waiting, wakeDesk, log, now });
  const devices = createHttpsServer(deviceTls(settings), app);
  const operators = createHttpsServer(operatorTls(settings), operatorApp({ database, settings, live, log, now }));
  for (const server of [devices, operators]) limitConnections(server);
  const seen = async () => ({
    ...counters,
    waiting: waiting.size,
    listening: wakes?.size ?? 0,
    connections: await count(devices),
  });
  const metrics = metricsServer(database, seen, { now, failed });
  const servers = [devices, operators, metrics];
  const close = async () => {
    for (const timer of timers) clearInterval(timer);
    live.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    waiting.wakeAll();
    wakeDesk?.close();
    await feed.close();
    await flush().catch(failed);
    await database.close();
  };
  try {
    await listen(devices, 'deviceApi', settings.deviceApi);
    await listen(operators, 'operatorApi', settings.operatorApi);
    await listen(metrics, 'metrics', settings.metrics);
  } catch (error) {
    await close();
    throw error;
  }
  const [devicePort = 0, operatorPort = 0, metricsPort = 0] = servers.map(portOf);
  log.info({ name: settings.name, devicePort, operatorPort, metricsPort, database: database.kind }, 'portalStarted');
  return { database, devicePort, operatorPort, metricsPort, close };
}

/** Null where they are not wanted, or where the port is taken: boxes then hold their questions. */
async function wakeDeskOf({ folder, deviceApi }: PortalSettings, log: Logger): Promise<WakeDesk | null> {
  if (!deviceApi.wakeByUdp) return null;
  const secret = readFileSync(join(folder, keyFiles.apiKey));
  return openWakeDesk(secret, deviceApi).catch((err) => {
    log.error({ err }, 'wakeByUdpNotPossible');
    return null;
  });
}

function every(milliseconds: number, work: () => Promise<void>): NodeJS.Timeout {
  let busy = false;
  return setInterval(() => {
    if (busy) return;
    busy = true;
    work().finally(() => {
      busy = false;
    });
  }, milliseconds);
}
