interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Token buckets: one for every client, one for all together. Both the work that strangers can cause and the memory
 * that counting them takes are bounded: when the table is full it starts anew.
 */
export class RateLimit {
  readonly #clients = new Map<string, Bucket>();
  readonly #all: Bucket;
  readonly #perClient: Rate;
  readonly #overall: Rate;

  constructor(perClient: Rate, overall: Rate) {
    this.#perClient = perClient;
    this.#overall = overall;
    this.#all = { tokens: overall.burst, at: 0 };
  }

  /** Whether one more message of this client may be looked at. `now`: milliseconds, never going backwards. */
  allows(client: string, now: number): boolean {
    let bucket = this.#clients.get(client);
    if (!bucket) {
      if (this.#clients.size >= maximumClients) this.#clients.clear();
      bucket = { tokens: this.#perClient.burst, at: now };
      this.#clients.set(client, bucket);
    }
    // The client's own first: one that floods must not use up what belongs to the others.
    return take(bucket, this.#perClient, now) && take(this.#all, this.#overall, now);
  }
}

/** Messages a second in the long run, and at once after a pause. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

const maximumClients = 4096;

function take(bucket: Bucket, rate: Rate, now: number): boolean {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + ((now - bucket.at) * rate.perSecond) / 1000);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}
