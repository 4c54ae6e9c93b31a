/** How far a long piece of work is: one line on a terminal's standard error that is written over; nothing where nobody looks. */
const everyMs = 200;

export class Progress {
  readonly #what: string;
  readonly #shown = process.stderr.isTTY === true;
  #next = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** `all`: left out where nobody knows it. */
  at(count: number, all?: number): void {
    if (!this.#shown || performance.now() < this.#next) return;
    this.#next = performance.now() + everyMs;
    process.stderr.write(`\r\x1b[K${count}${all === undefined ? '' : ` of ${all}`} ${this.#what}`);
  }

  /** The line goes, so that what follows stands alone. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
  }
}
