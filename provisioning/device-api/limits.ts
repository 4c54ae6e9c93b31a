/** Token buckets by name of the caller; memory is bounded, and the idle are forgotten first. */
export interface BucketShape {
  /** Calls at once. */
  readonly burst: number;
  readonly perSecond: number;
}

export class Buckets {
  readonly #shape: BucketShape;
  readonly #most: number;
  readonly #levels = new Map<string, { level: number; at: number }>();

  constructor(shape: BucketShape, most = 50_000) {
    this.#shape = shape;
    this.#most = most;
  }

  /** Takes one token; false when there is none. `now` in milliseconds. */
  take(name: string, now: number): boolean {
    const { burst, perSecond } = this.#shape;
    const old = this.#levels.get(name) ?? { level: burst, at: now };
    const level = Math.min(burst, old.level + ((now - old.at) / 1000) * perSecond);
    // Set again at the end: a Map keeps the order of insertion, so the first is the one idle for longest.
    this.#levels.delete(name);
    this.#levels.set(name, { level: level < 1 ? level : level - 1, at: now });
    if (this.#levels.size > this.#most) {
      const [idle] = this.#levels.keys();
      if (idle !== undefined) this.#levels.delete(idle);
    }
    return level >= 1;
  }

  /** Whether `take` would be granted. */
  has(name: string, now: number): boolean {
    const old = this.#levels.get(name);
    return !old || old.level + ((now - old.at) / 1000) * this.#shape.perSecond >= 1;
  }
}

/** Who pays: an IPv4 address, or the /64 that an IPv6 household has. */
export function payerOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const zeros = Array<string>(Math.max(0, 8 - groups.length - after.length)).fill('0');
  return [...groups, ...(tail === undefined ? [] : zeros), ...after].slice(0, 4).join(':');
}
