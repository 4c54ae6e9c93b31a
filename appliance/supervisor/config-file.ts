import { statSync } from 'node:fs';
import type { Logger } from 'pino';
import { loadSource, readSource } from '../config/files.ts';
import { ConfigError } from '../config/problems.ts';
import type { Source } from '../config/store.ts';

const pollMs = 1000;

/**
 * The configuration as somebody wrote it. A box has no keyboard: whoever mends a file that was refused shall not have to say so as well, so each
 * change of it is told until it is good again.
 */
export class ConfigFile {
  readonly #where: () => string;
  readonly #log: Pick<Logger, 'error'>;
  readonly #changed: () => void;
  #problem: string | null = null;
  /** What was read last, as the folder has it: taken before the reading, so that no change is missed. */
  #seen = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param where it is: a box that joins its portal has another file from then on. */
  constructor(where: () => string, log: Pick<Logger, 'error'>, changed: () => void) {
    this.#where = where;
    this.#log = log;
    this.#changed = changed;
  }

  get path(): string {
    return this.#where();
  }

  /** What was wrong when it was read last, in one line; null: nothing. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Null: it is refused, `problem` says why, and what is in force stays so. */
  read(): Source | null {
    this.#seen = stampOf(this.path);
    try {
      const source = readSource(this.path);
      loadSource(source);
      this.#problem = null;
      this.close();
      return source;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#refuse(error);
      return null;
    }
  }

  #refuse({ message, problems }: ConfigError): void {
    const problem = message.replaceAll('\n', '; ');
    if (this.#problem !== problem) this.#log.error({ file: this.path, problems }, 'configurationRefused');
    this.#problem = problem;
    this.#timer ??= setInterval(() => {
      if (stampOf(this.path) !== this.#seen) this.#changed();
    }, pollMs);
  }

  /** Waits no longer for a change. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Another one when the file may be another. */
function stampOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return '';
  }
}
