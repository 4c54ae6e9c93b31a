/** Work on many things in turns of a few milliseconds, between which the process hears what else there is. */
export class Turns<Item> {
  readonly #work: (item: Item) => void;
  #waiting: Item[] = [];
  #next: NodeJS.Immediate | undefined;

  constructor(work: (item: Item) => void) {
    this.#work = work;
  }

  /** One round. Nothing is begun while the one before lasts, so that those at its end have their turn, too. */
  begin(items: readonly Item[]): void {
    if (this.#waiting.length > 0 || items.length === 0) return;
    this.#waiting = [...items];
    this.#next = setImmediate(() => this.#turn());
  }

  stop(): void {
    clearImmediate(this.#next);
    this.#waiting = [];
  }

  #turn(): void {
    this.#next = undefined;
    const until = performance.now() + turnMs;
    for (let item = this.#waiting.pop(); item !== undefined; item = this.#waiting.pop()) {
      this.#work(item);
      if (performance.now() >= until) break;
    }
    if (this.#waiting.length > 0) this.#next = setImmediate(() => this.#turn());
  }
}

const turnMs = 4;
