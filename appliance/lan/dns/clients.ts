import { type Prefix, prefixContains } from '../../lib/ip.ts';

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface Client {
  readonly allowed: boolean;
  tokens: number;
  filledAt: number;
}

/** A LAN has a few hundred devices; more addresses than this come from somebody who makes them up. */
const maxClients = 4096;

/** Who may ask, and how much: a token bucket for each address. */
export class Clients {
  readonly #prefixes: readonly Prefix[];
  readonly #limit: RateLimit;
  readonly #clients = new Map<string, Client>();

  constructor(prefixes: readonly Prefix[], limit: RateLimit) {
    this.#prefixes = prefixes;
    this.#limit = limit;
  }

  /** `now` in milliseconds. Takes one token if there is one. */
  admit(address: string, now: number): 'yes' | 'stranger' | 'tooMuch' {
    const client = this.#clients.get(address) ?? this.#meet(address, now);
    if (!client.allowed) return 'stranger';
    if (client.tokens < 1) {
      const earned = ((now - client.filledAt) * this.#limit.perSecond) / 1000;
      if (earned < 1) return 'tooMuch';
      client.tokens = Math.min(this.#limit.burst, client.tokens + earned);
      client.filledAt = now;
    }
    client.tokens -= 1;
    return 'yes';
  }

  #meet(address: string, now: number): Client {
    if (this.#clients.size >= maxClients) this.#clients.clear();
    const allowed = this.#prefixes.some((prefix) => prefixContains(prefix, address));
    const client = { allowed, tokens: this.#limit.burst, filledAt: now };
    this.#clients.set(address, client);
    return client;
  }
}
