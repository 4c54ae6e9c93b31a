import { hash } from 'node:crypto';
import { CookieJar } from './cookie.ts';
import { refuse } from './exchanges/sa-init.ts';
import type { Raw } from './sa.ts';
import type { Turn } from './turn.ts';
import { peekInit } from './wire/message.ts';
import { notifyOf } from './wire/notify.ts';

/** As long as a half-open SA lives; later the same message is a new attempt. */
const rememberedMilliseconds = 30_000;
/** How long the data plane demands cookies by itself, before it is looked anew whether there is a need. */
const handedOverMilliseconds = 10_000;

/**
 * Who may make us spend memory and a key exchange. A message that was seen is known by its hash, not by SPI and
 * address: two initiators behind one NAT may choose the same SPI (RFC 7296 2.1).
 */
export class Gate {
  readonly #jar = new CookieJar();
  #handedOverUntil = Number.NEGATIVE_INFINITY;
  readonly #seen = new Map<string, { readonly key: string; readonly until: number }>();

  /** The key of the SA that this very message made. */
  known(bytes: Uint8Array, now: number): string | null {
    this.#forget(now);
    return this.#seen.get(digest(bytes))?.key ?? null;
  }

  remember(bytes: Uint8Array, key: string, now: number): void {
    this.#seen.set(digest(bytes), { key, until: now + rememberedMilliseconds });
  }

  /** A Map keeps the order of insertion, so the oldest come first. */
  #forget(now: number): void {
    for (const [hash, { until }] of this.#seen) {
      if (until > now) return;
      this.#seen.delete(hash);
    }
  }

  /**
   * False: the message was dropped, or answered with a cookie that the initiator has to bring back (RFC 7296 2.6). It is not decoded
   * yet: of most in a flood nothing else is ever wanted than the nonce.
   */
  admits(message: Raw, halfOpen: number, turn: Turn): boolean {
    const { options } = turn.world;
    if (halfOpen >= options.halfOpenLimit) return this.#deny('halfOpenLimit', turn);
    if (halfOpen < options.cookieThreshold) return true;
    const { nonce, cookie } = peekInit(message.header, message.bytes);
    if (nonce === null) return this.#deny('malformed', turn);
    const claim = { nonce, from: message.path.remote, spiInitiator: message.header.spiInitiator };
    if (cookie !== null && this.#jar.isRight(cookie, claim, turn)) return true;
    refuse({ ...message, payloads: [] }, notifyOf('COOKIE', this.#jar.make(claim, turn)), turn);
    this.#handOver(turn);
    return this.#deny('cookieDemanded', turn);
  }

  /** To whom a message costs less than to us. What comes through, with a right cookie or not, is looked at here all the same. */
  #handOver(turn: Turn): void {
    if (turn.now < this.#handedOverUntil) return;
    this.#handedOverUntil = turn.now + handedOverMilliseconds;
    turn.emit({
      kind: 'demandCookies',
      secrets: this.#jar.secrets(turn),
      milliseconds: handedOverMilliseconds,
    });
  }

  #deny(reason: string, turn: Turn): false {
    turn.world.count(reason);
    return false;
  }
}

function digest(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64');
}

/** At most `perSecond` of something: answers to strangers, reports about them. */
export class RateLimit {
  readonly #perSecond: number;
  #left: number;
  #at = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  allows(now: number): boolean {
    const gained = ((now - this.#at) * this.#perSecond) / 1000;
    this.#left = Math.min(this.#perSecond, this.#left + gained);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
