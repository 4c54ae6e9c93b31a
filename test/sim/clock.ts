/** The virtual clock: what is to happen, in order of time, and of planning where times are equal. */
export class Clock {
  readonly #plan: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;
  now = 0;

  at(time: number, run: () => void): void {
    const plan = this.#plan;
    const entry = { at: Math.max(time, this.now), order: this.#order, run };
    this.#order += 1;
    let low = 0;
    let high = plan.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = plan[middle];
      // The plan is kept with the earliest at the end, where it is cheap to take.
      if (other !== undefined && (other.at > entry.at || (other.at === entry.at && other.order > entry.order))) {
        low = middle + 1;
      } else high = middle;
    }
    plan.splice(low, 0, entry);
  }

  /** Runs everything up to `time`, that moment included. */
  runUntil(time: number): void {
    for (;;) {
      const next = this.#plan.at(-1);
      if (next === undefined || next.at > time) break;
      this.#plan.pop();
      this.now = next.at;
      next.run();
    }
    this.now = time;
  }
}
