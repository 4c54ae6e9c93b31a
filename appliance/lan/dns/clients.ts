import { familyOf, formatIp, type Prefix, parseIp, prefixContains } from '../../lib/ip.ts';

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

/** An address as it is cheapest to look up: IPv4 as a number, IPv6 as 16 octets in a binary string. */
export type ClientKey = number | string;

export type Admission = 'yes' | 'stranger' | 'tooMuch';

/** @throws {TypeError} when `address` is none. */
export function clientKeyOf(address: string): ClientKey {
  const octets = Buffer.from(parseIp(address));
  return familyOf(address) === 4 ? octets.readUInt32BE(0) : octets.toString('latin1');
}

/** The address of a key, as text. */
export function addressOf(key: ClientKey): string {
  if (typeof key === 'string') return formatIp(Buffer.from(key, 'latin1'));
  return formatIp(Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key));
}

/** Who may ask, and how much: a token bucket for each address. */
export class Clients {
  readonly #prefixes: readonly Prefix[];
  readonly #limit: RateLimit;
  readonly #clients = new Map<ClientKey, Client>();

  constructor(prefixes: readonly Prefix[], limit: RateLimit) {
    this.#prefixes = prefixes;
    this.#limit = limit;
  }

  /** `now` in milliseconds. Takes one token if there is one. */
  admit(key: ClientKey, now: number): Admission {
    const client = this.#clients.get(key) ?? this.#meet(key, now);
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

  #meet(key: ClientKey, now: number): Client {
    if (this.#clients.size >= maxClients) this.#clients.clear();
    const address = addressOf(key);
    const allowed = this.#prefixes.some((prefix) => prefixContains(prefix, address));
    const client = { allowed, tokens: this.#limit.burst, filledAt: now };
    this.#clients.set(key, client);
    return client;
  }
}
