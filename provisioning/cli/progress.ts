/** How far a long piece of work is: one line on a terminal's standard error that is written over; nothing where nobody looks. */
const everyMs = 200;

export class Progress {
  readonly #what: string;
  readonly #total: number | null;
  readonly #shown = process.stderr.isTTY === true;
  #next = 0;

  /** `total`: null where nobody knows it. */
  constructor(what: string, total: number | null = null) {
    this.#what = what;
    this.#total = total;
  }

  at(count: number): void {
    if (!this.#shown || performance.now() < this.#next) return;
    this.#next = performance.now() + everyMs;
    process.stderr.write(`\r\x1b[K${count}${this.#total === null ? '' : ` of ${this.#total}`} ${this.#what}`);
  }

  /** The line goes, so that what follows stands alone. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
  }
}
