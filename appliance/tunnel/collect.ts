import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/*
 * OpenSSL wipes what it was given when it frees it, and for what Node holds that is when the garbage collector comes by, which in a box
 * that has little to do can take hours. So it is called when keys have been wiped, to be done with the copies, too.
 */

/** Calls after another rekey within this time are one. */
const settleMs = 20_000;
/**
 * A collection takes some milliseconds for each 10 MB in use, and nothing else is done meanwhile. Where thousands of tunnels always have something
 * to wipe, no more than this share of the time is spent on it; and V8, which has much to do there, comes by more often itself.
 */
const largestShare = 1 / 400;
const longestPauseMs = 300_000;

let collector: (() => void) | null = null;

export function collect(): void {
  if (collector === null) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

export class Collecting {
  #timer: NodeJS.Timeout | undefined;
  /** What the last one took. */
  #tookMs = 0;

  /** Keys have been wiped. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const began = performance.now();
      collect();
      this.#tookMs = performance.now() - began;
    }, pauseMs(this.#tookMs)).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function pauseMs(tookMs: number): number {
  return Math.max(settleMs, Math.min(longestPauseMs, tookMs / largestShare));
}
