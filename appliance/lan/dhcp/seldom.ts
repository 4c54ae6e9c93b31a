/** Lets an event through once a minute for each key: what a client can cause must not fill the log. */
export class Seldom {
  readonly #at = new Map<string, number>();

  /** `now`: milliseconds, never going backwards. */
  allows(key: string, now: number): boolean {
    if ((this.#at.get(key) ?? Number.NEGATIVE_INFINITY) > now - everyMs) return false;
    if (this.#at.size >= maximumKeys) this.#at.clear();
    this.#at.set(key, now);
    return true;
  }
}

const everyMs = 60_000;
const maximumKeys = 256;
