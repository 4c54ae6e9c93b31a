/**
 * How a box proves itself on every call: an Ed25519 signature over the call and over a challenge of this server, with a
 * counter that only goes up. No clock is compared with any other, so a box that believes it is 1970 is served like all.
 */
import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { type SignedCall, textToSign } from '../../appliance/lib/device-call.ts';

/** RFC 8410: the 12 octets that make an Ed25519 SubjectPublicKeyInfo of a raw key. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** `publicKey`: base64 of 32 octets. False for anything that is no key or no signature. */
export function signatureHolds(publicKey: string, call: SignedCall, signature: string): boolean {
  const octets = Buffer.from(publicKey, 'base64');
  const proof = Buffer.from(signature, 'base64');
  if (octets.length !== 32 || octets.toString('base64') !== publicKey || proof.length !== 64) return false;
  try {
    const key = createPublicKey({ key: Buffer.concat([spkiPrefix, octets]), format: 'der', type: 'spki' });
    return verify(null, textToSign(call), key, proof);
  } catch {
    return false; // 32 octets that are no point of the curve
  }
}

const hourMs = 3_600_000;

/** Milliseconds since 1970, of a challenge that is ours. */
function issuedAt(challenge: string): number {
  return Number.parseInt(challenge.slice(0, 10), 36);
}

/**
 * Challenges carry their own proof (issue time, chance, HMAC under a key of this process), so a stranger who asks for a
 * million of them costs no memory. What is kept is one entry for each known key: the last challenge and counter.
 */
export class Challenges {
  readonly #secret: Uint8Array;
  readonly #lifetimeMs: number;
  readonly #last = new Map<string, { readonly challenge: string; readonly counter: number }>();

  /** `secret`: 32 octets; new ones at every start, so that nothing of an earlier life can be replayed. */
  constructor(secret: Uint8Array, lifetimeMs = hourMs) {
    this.#secret = secret;
    this.#lifetimeMs = lifetimeMs;
  }

  /** `now` in milliseconds; `random`: 16 octets. */
  issue(now: number, random: Uint8Array): string {
    const head = `${Math.floor(now).toString(36).padStart(10, '0')}.${Buffer.from(random).toString('base64url')}`;
    return `${head}.${this.#proof(head)}`;
  }

  isOurs(challenge: string, now: number): boolean {
    const cut = challenge.lastIndexOf('.');
    const proof = Buffer.from(challenge.slice(cut + 1));
    const expected = Buffer.from(this.#proof(challenge.slice(0, Math.max(cut, 0))));
    if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) return false;
    return now - issuedAt(challenge) < this.#lifetimeMs;
  }

  /** Once for each call of a known key whose signature held. False: replayed, or overtaken by a later call. */
  advance(publicKey: string, challenge: string, counter: number): boolean {
    const last = this.#last.get(publicKey);
    // Challenges begin with their time in digits of one width: their order is the order of their making.
    const newer = !last || challenge > last.challenge || (challenge === last.challenge && counter > last.counter);
    if (!newer) return false;
    // Set again at the end: a Map keeps the order of insertion, so keys that were rotated or revoked come to the front.
    this.#last.delete(publicKey);
    this.#last.set(publicKey, { challenge, counter });
    this.#forget(issuedAt(challenge));
    return true;
  }

  /** What was last used long before any challenge that would still be taken. */
  #forget(now: number): void {
    for (const [publicKey, { challenge }] of this.#last) {
      if (now - issuedAt(challenge) < 24 * this.#lifetimeMs) return;
      this.#last.delete(publicKey);
    }
  }

  /** Whether this key has proven itself in this process's life. */
  knows(publicKey: string): boolean {
    return this.#last.has(publicKey);
  }

  #proof(head: string): string {
    return createHmac('sha256', this.#secret).update(head).digest('base64url');
  }
}
