import { dirname } from 'node:path';
import type { AppendFile, Disk } from './disk.ts';
import { encodeHeader, encodeRecord, isDurable, type Replayed, replay } from './journal.ts';
import type { Lease } from './leases.ts';

interface Waiting {
  readonly lines: string;
  readonly records: number;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export interface Snapshot {
  /** Everything that must be on disk now. */
  leases(): Iterable<Lease>;
  /** Lease clock, milliseconds. */
  clock(): number;
}

/** Flash that holds leases is written for nothing no more often than this, which is also what a power cut may cost the lease clock. */
const proveEveryMs = 3_600_000;

/**
 * The lease journal. `commit` returns once its records survive a power cut; commits that wait for the disk together
 * share one write and one fsync. When the file holds mostly history, or after a failed write (whose remains
 * nobody knows), it is written anew beside the old one and renamed over it.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #snapshot: Snapshot;
  #file: AppendFile | undefined;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #records = 0;
  #rewriteAt = 0;
  #failures = 0;
  /** By the lease clock; a file that was not written yet proves nothing. */
  #syncedAt = Number.NEGATIVE_INFINITY;

  constructor(disk: Disk, path: string, snapshot: Snapshot) {
    this.#disk = disk;
    this.#path = path;
    this.#snapshot = snapshot;
  }

  /** What an earlier run left. The torn end of it, if any, is gone with the first `commit`. */
  static async read(disk: Disk, path: string): Promise<Replayed> {
    return replay((await disk.read(path)) ?? new Uint8Array(0));
  }

  /** Failed writes since the last one that worked. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * `leases` must be in the snapshot already; without any, the clock is written, which proves the disk.
   * @throws what the disk says; then nothing may be acknowledged.
   */
  commit(leases: readonly Lease[]): Promise<void> {
    const clock = this.#snapshot.clock();
    const lines = leases.length > 0 ? leases.map((lease) => encodeRecord(lease, clock)) : [encodeHeader(clock)];
    return new Promise((done, failed) => {
      this.#queue.push({ lines: lines.join(''), records: lines.length, done, failed });
      this.#running ??= this.#run();
    });
  }

  /**
   * Whether the disk takes a record: what it took within the hour is proof enough, a failure is tried again at once.
   * @returns milliseconds since it took the last one. @throws what the disk says.
   */
  async prove(): Promise<number> {
    const isProven = this.#failures === 0 && this.#snapshot.clock() - this.#syncedAt < proveEveryMs;
    if (!isProven) await this.commit([]);
    return this.#snapshot.clock() - this.#syncedAt;
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #run(): Promise<void> {
    // The commits of one turn of the event loop go together.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#write(batch);
        this.#failures = 0;
        this.#syncedAt = this.#snapshot.clock();
        for (const { done } of batch) done();
      } catch (error) {
        this.#failures += 1;
        await this.#abandon();
        for (const { failed } of batch) failed(error);
      }
    }
    this.#running = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    if (!this.#file || this.#records > this.#rewriteAt) {
      await this.#rewrite();
      return;
    }
    const octets = Buffer.from(batch.map(({ lines }) => lines).join(''));
    await this.#file.append(octets);
    await this.#file.sync();
    this.#records += batch.reduce((sum, { records }) => sum + records, 0);
  }

  async #rewrite(): Promise<void> {
    const clock = this.#snapshot.clock();
    const lines = [encodeHeader(clock)];
    for (const lease of this.#snapshot.leases()) if (isDurable(lease)) lines.push(encodeRecord(lease, clock));
    await this.#file?.close();
    this.#file = undefined;
    const beside = `${this.#path}.new`;
    const file = await this.#disk.create(beside);
    try {
      await file.append(Buffer.from(lines.join('')));
      await file.sync();
      await this.#disk.rename(beside, this.#path);
      await this.#disk.syncDirectory(dirname(this.#path));
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#records = lines.length;
    this.#rewriteAt = lines.length * 4 + 1000;
  }

  /** After a failed write or fsync nobody knows what is on disk: the next commit writes a new file. */
  async #abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}
