/** A small seeded generator (sfc32): the same seed gives the same world on every machine. */
export class Chance {
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#c = seed >>> 0;
    for (let i = 0; i < 15; i += 1) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** At least 0, less than 1. */
  fraction(): number {
    return this.u32() / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.fraction() * (high - low);
  }

  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.fraction() * items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  bytes(length: number): Uint8Array {
    const octets = new Uint8Array(length);
    const view = new DataView(octets.buffer);
    let at = 0;
    for (; at + 4 <= length; at += 4) view.setUint32(at, this.u32());
    for (; at < length; at += 1) octets[at] = this.u32() & 255;
    return octets;
  }
}
