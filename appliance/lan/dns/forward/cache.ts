import type { Origin } from '../wire/ready.ts';

/** An answer to be kept. Times in milliseconds of the machine's clock. */
export type CacheEntry = Pick<Origin, 'compiled' | 'storedAt' | 'expiresAt'>;

/** What an entry costs besides its octets: map slot, objects, the offsets' array; measured on Node 24, rounded up. */
const entryOverhead = 400;

interface Slot extends Origin {
  readonly octets: number;
}

/**
 * Answers by key, bounded by octets. What is thrown out first is what came first and was not asked for since (a clock
 * with one bit): a flood of names that nobody repeats does not push out those that the house uses.
 */
export class AnswerCache {
  readonly #slots = new Map<string, Slot>();
  readonly #limit: number;
  #octets = 0;

  constructor(limitOctets: number) {
    this.#limit = limitOctets;
  }

  get octets(): number {
    return this.#octets;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Expired entries come too: whoever asks decides whether stale is better than nothing (RFC 8767). */
  get(key: string): Origin | undefined {
    const slot = this.#slots.get(key);
    if (slot) slot.used = true;
    return slot;
  }

  set(key: string, entry: CacheEntry): void {
    this.delete(key);
    const octets = entryOverhead + key.length + entry.compiled.bytes.length + 8 * entry.compiled.ttlOffsets.length;
    if (octets > this.#limit / 8) return;
    this.#slots.set(key, { ...entry, octets, used: false });
    this.#octets += octets;
    this.#makeRoom();
  }

  delete(key: string): void {
    this.#octets -= this.#slots.get(key)?.octets ?? 0;
    this.#slots.delete(key);
  }

  clear(): void {
    this.#slots.clear();
    this.#octets = 0;
  }

  #makeRoom(): void {
    for (const [key, slot] of this.#slots) {
      if (this.#octets <= this.#limit) return;
      this.#slots.delete(key);
      if (slot.used) this.#slots.set(key, { ...slot, used: false });
      else this.#octets -= slot.octets;
    }
  }
}
