/**
 * Many boxes without tunnels in one process: the product's own client of the device API, with real keys, and an appliance that puts
 * whatever comes in force at once. Reads one line of JSON from standard input; prints a line of JSON a second with how many
 * are where. Usage: sim-boxes.ts FOLDER
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pino from 'pino';
import { parseConfig } from '../../appliance/config/schema.ts';
import { PortalClient } from '../../appliance/supervisor/portal.ts';
import type { InForce, Managed } from '../../appliance/supervisor/portal-account.ts';
import { PortalFiles } from '../../appliance/supervisor/portal-files.ts';
import type { ApplianceStatus } from '../../appliance/supervisor/status.ts';
import type { FactoryBox } from './fleet.ts';

const [folder = ''] = process.argv.slice(2);

interface Wanted {
  readonly token: string;
  readonly boxes: readonly (Pick<FactoryBox, 'name'> & { readonly keyFile: string })[];
}

export interface SimCount {
  readonly boxes: number;
  /** Boxes with a configuration in force, by the name of the portal that it calls. */
  readonly following: Readonly<Record<string, number>>;
  /** Of them: those that have forgotten every other portal. */
  readonly settled: number;
}

class Stand implements Managed {
  readonly files: PortalFiles;
  #revision: number | null = null;
  portal = '';

  constructor(files: PortalFiles) {
    this.files = files;
  }

  async load(): Promise<void> {
    const config = parseConfig(JSON.parse(readFileSync(this.files.configFile, 'utf8')));
    this.#revision = config.revision;
    this.portal = config.peers[0]?.name ?? '';
  }

  inForce(): InForce {
    return { revision: this.#revision, state: 'settled', problem: null, inside: [] };
  }

  async glance(): Promise<ApplianceStatus> {
    const tunnel = { state: 'up', peers: [] };
    return { version: '0.0.0-sim', sentence: 'Simulated.', problems: [], tunnel } as unknown as ApplianceStatus;
  }

  async clockIsKept(): Promise<boolean> {
    return true;
  }
}

function count(stands: readonly Stand[]): SimCount {
  const following = Object.fromEntries(
    [...Map.groupBy(stands, ({ portal }) => portal)].map(([portal, those]) => [portal, those.length]),
  );
  const settled = stands.filter(({ files }) => files.enrolment()?.doors.length === 1).length;
  return { boxes: stands.length, following, settled };
}

createInterface({ input: process.stdin }).once('line', (line) => {
  const { token, boxes } = JSON.parse(line) as Wanted;
  const log = pino({ level: 'warn' }, { write: (text: string) => void process.stderr.write(text) });
  const stands = boxes.map(({ name, keyFile }) => {
    const stand = new Stand(new PortalFiles(join(folder, name)));
    stand.files.take(token);
    new PortalClient({ files: stand.files, managed: stand, log, factoryKeyFile: keyFile }).start();
    return stand;
  });
  setInterval(() => console.log(JSON.stringify(count(stands))), 1000);
});
