import { timingSafeEqual } from 'node:crypto';
import { concat } from '../lib/bytes.ts';
import type { CookieSecrets } from '../lib/cookie-secrets.ts';
import type { Env } from '../lib/env.ts';
import { parseIp } from '../lib/ip.ts';
import type { Endpoint } from '../lib/net.ts';
import { Secret } from '../lib/secret.ts';
import { hmac } from './crypto/hmac.ts';

/** How long one secret is used; a cookie lives between one and two of these. */
const secretMilliseconds = 60_000;

/**
 * Stateless cookies, RFC 7296 2.6: version | MAC(secret; Ni | IPi | port | SPIi). The secret changes and the one
 * before it is accepted, so nothing is kept for an initiator that has not shown that it receives at its address.
 */
export class CookieJar {
  #secrets: CookieSecrets | null = null;
  #changeAt = 0;

  make(claim: CookieClaim, env: Env): Uint8Array {
    const { version, current } = this.secrets(env);
    return cookie(version, current, claim);
  }

  isRight(presented: Uint8Array, claim: CookieClaim, env: Env): boolean {
    const { version, current, previous } = this.secrets(env);
    const age = (version - (presented[0] ?? 0)) & 255;
    const secret = age === 0 ? current : age === 1 ? previous : null;
    if (secret === null) return false;
    const expected = cookie(presented[0] ?? 0, secret, claim);
    return presented.length === expected.length && timingSafeEqual(presented, expected);
  }

  /** Of this minute. */
  secrets(env: Env): CookieSecrets {
    const before = this.#secrets;
    if (before !== null && env.now < this.#changeAt) return before;
    const stale = env.now >= this.#changeAt + secretMilliseconds;
    this.#secrets = {
      version: ((before?.version ?? 0) + 1) & 255,
      current: new Secret(env.random(32)),
      previous: stale ? null : (before?.current ?? null),
    };
    this.#changeAt = env.now + secretMilliseconds;
    return this.#secrets;
  }
}

export interface CookieClaim {
  readonly nonce: Uint8Array;
  readonly from: Endpoint;
  readonly spiInitiator: Uint8Array;
}

function cookie(version: number, secret: Secret, claim: CookieClaim): Uint8Array {
  const port = Uint8Array.of(claim.from.port >> 8, claim.from.port);
  const mac = hmac('sha256', secret.reveal(), claim.nonce, parseIp(claim.from.address), port, claim.spiInitiator);
  return concat(Uint8Array.of(version), mac);
}
