import { randomFillSync } from 'node:crypto';
import type { Env } from '../../../lib/env.ts';

const pool = Buffer.alloc(8192);
let used = pool.length;

/** Unpredictable octets, fetched from the system in bulk; each is given out once. */
function random(length: number): Uint8Array {
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += length;
  return Uint8Array.from(pool.subarray(used - length, used));
}

export function monotonic(): number {
  return performance.now();
}

export function currentEnv(): Env {
  return { now: monotonic(), random };
}

/** Seconds since 1970, as far as this machine knows. */
export function wallSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** A box that says that it is earlier than this has no clock yet: moat did not exist. */
export const firstPlausibleSeconds = Date.UTC(2026, 0, 1) / 1000;

/** One timer of a machine. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** `at`: milliseconds of `monotonic`; infinity = never. */
  set(at: number): void {
    if (at === this.#at && this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) return;
    // setTimeout has 31 bits, and rounds down: a machine that is woken early would spin.
    const delay = Math.min(Math.max(0, Math.ceil(at - monotonic())), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#ring();
    }, delay);
  }
}
