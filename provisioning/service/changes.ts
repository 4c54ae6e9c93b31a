/** What a running portal does about commits, by whomever: wakes the boxes they are for, and rewrites its own peers. */
import { portalFacts } from '../compile/facts.ts';
import type { Database } from '../db/database.ts';
import type { Waiting } from '../device-api/waiting.ts';
import type { Wakes } from '../device-api/wakes.ts';
import { lastRevision } from '../facts/change.ts';
import type { TunnelFile } from './tunnel-file.ts';

export interface ChangesParts {
  readonly database: Database;
  readonly portalName: string;
  readonly waiting: Waiting;
  /** Null where no wake-up datagrams are sent. */
  readonly wakes: Wakes | null;
  readonly tunnelFile: TunnelFile | null;
  /** Told the revision and the ids of the devices whose configuration is another one now. */
  heard(revision: number, deviceIds: readonly number[]): void;
}

export class Changes {
  readonly #parts: ChangesParts;
  #seen = -1;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Resolves when everything that was committed before the call has been dealt with. */
  async catchUp(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#loop().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#once();
    }
  }

  async #once(): Promise<void> {
    const { database, portalName, waiting, wakes, tunnelFile, heard } = this.#parts;
    const revision = await lastRevision(database.queries);
    // A restored backup is older than what we have seen: everything is read again.
    const since = revision < this.#seen ? -1 : this.#seen;
    if (revision === since) return;
    const portal = await database.queries
      .selectFrom('portals')
      .selectAll()
      .where('name', '=', portalName)
      .executeTakeFirst();
    const rows = await database.queries
      .selectFrom('compiled')
      .innerJoin('devices', 'devices.id', 'compiled.deviceId')
      .select(['compiled.deviceId', 'devices.name', 'compiled.peer', 'compiled.portalId', 'compiled.fleetRevision'])
      .where('compiled.fleetRevision', '>', since)
      .execute();
    const ids = rows.map(({ deviceId }) => deviceId);
    if (tunnelFile && portal) {
      tunnelFile.update(rows.map((row) => (row.portalId === portal.id ? row : { ...row, peer: '' })));
      tunnelFile.write(portalFacts(portal));
    }
    this.#seen = revision;
    waiting.wake(ids);
    wakes?.changed(
      rows.map(({ deviceId, fleetRevision }) => [deviceId, fleetRevision]),
      Date.now(),
    );
    heard(revision, ids);
  }
}
