import type { Env } from '../lib/env.ts';
import type { Path } from '../lib/net.ts';

/** Until an IKE SA is up: a first contact may need a router to finish its boot. */
export const newSaSeconds = 60;
/** On an established SA, where silence means that traffic is being lost. */
export const establishedSeconds = 30;
/** For a DELETE of an IKE SA: the peer finds out by itself if it never hears. */
export const closingSeconds = 8;

const firstWaitMilliseconds = 500;
const growth = 1.6;
const longestWaitMilliseconds = 4_000;

/** When a request goes out again, RFC 7296 2.1 and 2.4. Times are milliseconds on the clock of `env.now`. */
export interface Retry {
  readonly waitMilliseconds: number;
  readonly nextAt: number;
  readonly giveUpAt: number;
}

/** A request that waits for its answer. The octets never change (RFC 7296 2.1); more than one datagram are fragments. */
export interface Sent {
  readonly datagrams: readonly Uint8Array[];
  readonly messageId: number;
  readonly path: Path;
  readonly retry: Retry;
}

/** Between `low` and `high`, from two random octets. */
export function between(low: number, high: number, random: Env['random']): number {
  const [a = 0, b = 0] = random(2);
  return low + ((high - low) * (a * 256 + b)) / 65535;
}

/** When an SA is rekeyed, and when it ends if that does not succeed. Milliseconds on the clock of `env.now`. */
export function lifeOf(
  rekeySeconds: number,
  keySeconds: number | undefined,
  env: Env,
): { rekeyAt: number; hardAt: number } {
  const rekeyAt = env.now + rekeySeconds * 1000 * between(0.9, 1, env.random);
  return { rekeyAt, hardAt: env.now + Math.min(rekeySeconds * 1.25, keySeconds ?? Number.POSITIVE_INFINITY) * 1000 };
}

export function firstRetry(env: Env, seconds: number): Retry {
  const waitMilliseconds = firstWaitMilliseconds * between(0.9, 1.1, env.random);
  return { waitMilliseconds, nextAt: env.now + waitMilliseconds, giveUpAt: env.now + seconds * 1000 };
}

export function nextRetry(retry: Retry, env: Env): Retry {
  const grown = Math.min(retry.waitMilliseconds * growth, longestWaitMilliseconds);
  const waitMilliseconds = grown * between(0.9, 1.1, env.random);
  return { ...retry, waitMilliseconds, nextAt: env.now + waitMilliseconds };
}

export function retryDeadline(retry: Retry): number {
  return Math.min(retry.nextAt, retry.giveUpAt);
}
