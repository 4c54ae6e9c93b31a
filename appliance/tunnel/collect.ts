import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/*
 * OpenSSL wipes what it was given when it frees it, and for what Node holds that is when the garbage collector comes by, which in a box
 * that has little to do can take hours. So it is called when keys have been wiped, to be done with the copies, too.
 */

/** Calls after another rekey within this time are one. A collection takes some milliseconds for each 10 MB in use. */
const settleMs = 20_000;

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

  /** Keys have been wiped. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      collect();
    }, settleMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
