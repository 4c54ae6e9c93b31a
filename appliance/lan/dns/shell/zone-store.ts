import { readFileSync, rmSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DecodeError } from '../../../lib/bytes.ts';
import { type Name, nameToText } from '../wire/name.ts';
import { decodeZoneFile, encodeZoneFile, type StoredZone } from '../zone/zone-file.ts';
import { codeOf } from './errors.ts';

/** Zones on disk, one file each. A file is there whole or not at all: written beside, synced, renamed, directory synced. */
export class ZoneStore {
  readonly #directory: string;
  readonly #writing = new Map<Name, Promise<void>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  #path(origin: Name): string {
    const text = nameToText(origin).replaceAll('/', '%');
    return join(this.#directory, `${text === '.' ? 'root.' : text}zone`);
  }

  /** The zone as it was last saved; a sentence when there is a file that cannot be used. */
  load(origin: Name): StoredZone | string | undefined {
    try {
      const stored = decodeZoneFile(readFileSync(this.#path(origin)));
      return stored.zone.origin === origin ? stored : 'the zone file is that of another zone';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      if (error instanceof DecodeError || error instanceof RangeError || codeOf(error) !== '') return String(error);
      throw error;
    }
  }

  /** Saves of one zone follow each other. @throws what the disk says; the file from before is still good then. */
  save(stored: StoredZone): Promise<void> {
    const { origin } = stored.zone;
    return this.#next(origin, () => this.#write(this.#path(origin), encodeZoneFile(stored)));
  }

  /** The zone is nobody's any more: not to be found from here on, nor after a save that is still under way. @throws what the disk says. */
  async forget(origin: Name): Promise<void> {
    rmSync(this.#path(origin), { force: true });
    await this.#next(origin, () => rm(this.#path(origin), { force: true }));
  }

  #next(origin: Name, work: () => Promise<void>): Promise<void> {
    const before = this.#writing.get(origin) ?? Promise.resolve();
    const working = before.catch(() => {}).then(work);
    this.#writing.set(origin, working);
    return working;
  }

  async #write(path: string, octets: Buffer): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o750 });
    const beside = `${path}.new`;
    const file = await open(beside, 'w', 0o640);
    try {
      await file.writeFile(octets);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    const directory = await open(this.#directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
