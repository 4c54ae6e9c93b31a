import { timingSafeEqual } from 'node:crypto';
import { concat } from '../lib/bytes.ts';
import type { Env } from '../lib/env.ts';
import { parseIp } from '../lib/ip.ts';
import type { Endpoint } from '../lib/net.ts';
import { hmac } from './crypto/hmac.ts';

/** How long one secret is used; a cookie lives between one and two of these. */
const secretMilliseconds = 60_000;

/**
 * Stateless cookies, RFC 7296 2.6: version | MAC(secret; Ni | IPi | port | SPIi). The secret changes and the one
 * before it is accepted, so nothing is kept for an initiator that has not shown that it receives at its address.
 */
export class CookieJar {
  #version = 0;
  #secret: Uint8Array | null = null;
  #previous: Uint8Array | null = null;
  #changeAt = 0;

  make(claim: CookieClaim, env: Env): Uint8Array {
    const secret = this.#turn(env);
    return cookie(this.#version, secret, claim);
  }

  isRight(presented: Uint8Array, claim: CookieClaim, env: Env): boolean {
    const current = this.#turn(env);
    const age = (this.#version - (presented[0] ?? 0)) & 255;
    const secret = age === 0 ? current : age === 1 ? this.#previous : null;
    if (secret === null) return false;
    const expected = cookie(presented[0] ?? 0, secret, claim);
    return presented.length === expected.length && timingSafeEqual(presented, expected);
  }

  #turn(env: Env): Uint8Array {
    if (this.#secret !== null && env.now < this.#changeAt) return this.#secret;
    const stale = env.now >= this.#changeAt + secretMilliseconds;
    this.#previous = stale ? null : this.#secret;
    this.#secret = env.random(32);
    this.#version = (this.#version + 1) & 255;
    this.#changeAt = env.now + secretMilliseconds;
    return this.#secret;
  }
}

export interface CookieClaim {
  readonly nonce: Uint8Array;
  readonly from: Endpoint;
  readonly spiInitiator: Uint8Array;
}

function cookie(version: number, secret: Uint8Array, claim: CookieClaim): Uint8Array {
  const port = Uint8Array.of(claim.from.port >> 8, claim.from.port);
  const mac = hmac('sha256', secret, claim.nonce, parseIp(claim.from.address), port, claim.spiInitiator);
  return concat(Uint8Array.of(version), mac);
}
