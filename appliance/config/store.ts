/**
 * Configurations on the disk. `confirmed` is what the box is known to work with, `previous` the one before (for a disk
 * that loses a block), `candidate` what is on trial, `rejected` what failed its trial. Every change is one rename of a file that was
 * synced first, so that a power cut leaves the old or the new and nothing between.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Found, Generation, Rejected } from './transaction.ts';

/** A configuration as it was given: its text, and the file whose folder its key files are relative to. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

type Name = 'confirmed' | 'previous' | 'candidate' | 'rejected';

export function generationOf({ path, text }: Source): Generation {
  return createHash('sha256').update(`${path}\n${text}`).digest('hex');
}

export class ConfigStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  found(): Found {
    const confirmed = this.#read('confirmed') ?? this.#read('previous');
    const candidate = this.#read('candidate');
    const rejected = this.#read('rejected');
    return {
      confirmed: confirmed && generationOf(confirmed),
      candidate: candidate && generationOf(candidate),
      rejected: rejected && { generation: generationOf(rejected), why: rejected.why ?? '' },
    };
  }

  /** Null when there is none of this generation, whole and undamaged. */
  source(generation: Generation): Source | null {
    for (const name of ['confirmed', 'candidate', 'previous'] as const) {
      const source = this.#read(name);
      if (source && generationOf(source) === generation) return { path: source.path, text: source.text };
    }
    return null;
  }

  saveCandidate(source: Source): void {
    this.#write('candidate', source);
  }

  confirm(source: Source): void {
    const before = this.#read('confirmed');
    if (!before || generationOf(before) !== generationOf(source)) {
      if (before) this.#write('previous', before);
      this.#write('confirmed', source);
    }
    this.#remove('candidate');
    this.#remove('rejected');
  }

  reject(source: Source, { why }: Rejected): void {
    this.#write('rejected', { ...source, why });
    this.#remove('candidate');
  }

  #path(name: Name): string {
    return join(this.#directory, name);
  }

  /** A file of which the first line is the hash of the rest; anything else counts as absent. */
  #read(name: Name): (Source & { readonly why?: string }) | null {
    try {
      const [hash, ...rest] = readFileSync(this.#path(name), 'utf8').split('\n');
      const body = rest.join('\n');
      return createHash('sha256').update(body).digest('hex') === hash ? (JSON.parse(body) as Source) : null;
    } catch {
      return null;
    }
  }

  #write(name: Name, source: Source & { readonly why?: string }): void {
    const body = JSON.stringify(source);
    const beside = `${this.#path(name)}.new`;
    const file = openSync(beside, 'w', 0o600);
    try {
      writeSync(file, `${createHash('sha256').update(body).digest('hex')}\n${body}`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, this.#path(name));
    this.#sync();
  }

  #remove(name: Name): void {
    rmSync(this.#path(name), { force: true });
    this.#sync();
  }

  /** A rename is on the disk when its directory is. */
  #sync(): void {
    const directory = openSync(this.#directory, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }
}
