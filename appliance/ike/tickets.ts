import { concat, DecodeError, Reader, Writer } from '../lib/bytes.ts';
import type { Env } from '../lib/env.ts';
import { joinSecret, Secret, secretOctets } from '../lib/secret.ts';
import type { QuantumSafety } from './api.ts';
import { aeadOpen, aeadSeal, keyMaterialLength } from './crypto/aead.ts';
import type { IkeSuite } from './crypto/keys.ts';

/*
 * Session resumption, RFC 5723: what an end needs to take up an IKE SA again without key exchange and signature. The gateway gives it all away,
 * sealed with a key of its own that changes every five minutes and is known for ten, and remembers nothing; the client keeps its part here.
 */

/** Half of the time after which no key of old traffic shall exist any more. */
const keyMilliseconds = 300_000;
export const ticketSeconds = keyMilliseconds / 1000;
const cipher = 'aes-256-gcm-16';
const version = 1;

/** What a ticket stands for. */
export interface Session {
  readonly peer: string;
  readonly suite: IkeSuite;
  readonly quantumSafe: QuantumSafety | null;
  readonly d: Secret;
}

const suites = {
  ciphers: ['aes-256-gcm-16', 'aes-128-gcm-16', 'chacha20-poly1305'],
  prfs: ['hmac-sha2-256', 'hmac-sha2-384'],
  keyExchanges: ['x25519', 'ecp256'],
  additional: [null, 'mlkem768'],
  quantum: [null, 'mlkem768', 'ppk'],
} as const;

function head({ suite, quantumSafe, peer }: Session, expiresAt: number): Uint8Array {
  const name = new Uint8Array(Buffer.from(peer, 'utf8'));
  return new Writer()
    .u8(version)
    .u64(BigInt(Math.ceil(expiresAt)))
    .u8(suites.ciphers.indexOf(suite.cipher))
    .u8(suites.prfs.indexOf(suite.prf))
    .u8(suites.keyExchanges.indexOf(suite.keyExchange))
    .u8(suites.additional.indexOf(suite.additionalKeyExchange))
    .u8(suites.quantum.indexOf(quantumSafe))
    .u16(name.length)
    .bytes(name)
    .finish();
}

function chosen<Value>(list: readonly Value[], index: number): Value {
  const value = list[index];
  if (value === undefined) throw new DecodeError('a ticket of another making');
  return value;
}

/** The gateway's side: seals and opens. */
export class Tickets {
  #key: Secret | null = null;
  #previous: Secret | null = null;
  #changeAt = 0;

  seal(session: Session, env: Env): Uint8Array {
    const key = this.#turn(env);
    const plain = joinSecret(head(session, env.now + keyMilliseconds), session.d.reveal());
    const iv = env.random(8);
    const sealed = aeadSeal(cipher, { key: key.reveal(), iv, associated: Uint8Array.of(version), data: plain });
    plain.fill(0);
    return concat(iv, sealed);
  }

  /** Null for what is not of our making, or too old. */
  open(ticket: Uint8Array, env: Env): Session | null {
    const current = this.#turn(env);
    for (const key of [current, this.#previous]) {
      const session = key && openWith(key, ticket, env.now);
      if (session) return session;
    }
    return null;
  }

  /** Wipes the keys whose time is over; the time of the next one, Infinity when there is none. */
  wakeAt(): number {
    return this.#key === null ? Number.POSITIVE_INFINITY : this.#changeAt;
  }

  tend(now: number): void {
    if (this.#key === null || now < this.#changeAt) return;
    const stale = now >= this.#changeAt + keyMilliseconds;
    this.#previous?.wipe();
    if (stale) this.#key.wipe();
    this.#previous = stale ? null : this.#key;
    this.#key = null;
  }

  #turn(env: Env): Secret {
    this.tend(env.now);
    if (this.#key !== null) return this.#key;
    this.#key = new Secret(env.random(keyMaterialLength(cipher)));
    this.#changeAt = env.now + keyMilliseconds;
    return this.#key;
  }
}

function openWith(key: Secret, ticket: Uint8Array, now: number): Session | null {
  const [iv, data] = [ticket.subarray(0, 8), ticket.subarray(8)];
  const plain = aeadOpen(cipher, { key: key.reveal(), iv, associated: Uint8Array.of(version), data });
  if (plain === null) return null;
  try {
    return sessionIn(plain, now);
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  } finally {
    plain.fill(0);
  }
}

function sessionIn(plain: Uint8Array, now: number): Session | null {
  const reader = new Reader(plain);
  if (reader.u8() !== version || Number(reader.u64()) < now) return null;
  const suite: IkeSuite = {
    cipher: chosen(suites.ciphers, reader.u8()),
    prf: chosen(suites.prfs, reader.u8()),
    keyExchange: chosen(suites.keyExchanges, reader.u8()),
    additionalKeyExchange: chosen(suites.additional, reader.u8()),
  };
  const quantumSafe = chosen(suites.quantum, reader.u8());
  const peer = Buffer.from(reader.bytes(reader.u16())).toString('utf8');
  const d = secretOctets(reader.remaining);
  d.set(plain.subarray(plain.length - reader.remaining));
  return { peer, suite, quantumSafe, d: new Secret(d) };
}

/** A ticket that was given to us, with what we have to know ourselves. */
export interface Held extends Session {
  readonly ticket: Uint8Array;
  readonly expiresAt: number;
}

/** The client's side: at most one ticket for each peer, used once. */
export class HeldTickets {
  readonly #held = new Map<string, Held>();

  keep(held: Held): void {
    this.forget(held.peer);
    this.#held.set(held.peer, held);
  }

  /** Takes it out: whoever takes it wipes its key. */
  take(peer: string, now: number): Held | null {
    const held = this.#held.get(peer);
    this.#held.delete(peer);
    if (held === undefined || held.expiresAt > now) return held ?? null;
    held.d.wipe();
    return null;
  }

  forget(peer: string): void {
    this.#held.get(peer)?.d.wipe();
    this.#held.delete(peer);
  }

  wakeAt(): number {
    return Math.min(...[...this.#held.values()].map(({ expiresAt }) => expiresAt));
  }

  tend(now: number): void {
    for (const { peer, expiresAt } of [...this.#held.values()]) if (expiresAt <= now) this.forget(peer);
  }
}

/** A copy that outlives the SA. */
export function copyOf(secret: Secret): Secret {
  return new Secret(joinSecret(secret.reveal()));
}
