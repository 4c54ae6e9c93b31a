import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Milliseconds. The poll is for file systems and moments in which nobody tells. */
const timing = { settle: 20, poll: 5_000 } as const;
const maxOctets = 4 * 1024 * 1024;

/** Reads a JSON file that others replace by rename, now and whenever it changes. Unreadable or absent: `undefined`. */
export class WatchedJson {
  readonly #path: string;
  readonly #onChange: (value: unknown) => void;
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #settle: NodeJS.Timeout | undefined;
  #seen = '';

  constructor(path: string, onChange: (value: unknown) => void) {
    this.#path = path;
    this.#onChange = onChange;
    this.#look();
    this.#poll = setInterval(() => this.#look(), timing.poll);
    this.#poll.unref();
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    this.#watcher?.close();
  }

  #look(): void {
    this.#watch();
    const seen = stamp(this.#path);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#onChange(readJson(this.#path));
  }

  /** The directory, since the file itself is another one after each rename. */
  #watch(): void {
    if (this.#watcher) return;
    try {
      const watcher = watch(dirname(this.#path), { persistent: false });
      watcher.on('change', (_, name) => {
        if (name !== basename(this.#path)) return;
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => this.#look(), timing.settle);
      });
      watcher.on('error', () => {
        watcher.close();
        this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The directory is not there yet: the poll comes back to it.
    }
  }
}

function stamp(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats ? `${stats.ino} ${stats.mtimeNs} ${stats.size}` : 'absent';
}

function readJson(path: string): unknown {
  try {
    const octets = readFileSync(path);
    return octets.length > maxOctets ? undefined : JSON.parse(octets.toString('utf8'));
  } catch {
    return undefined;
  }
}
