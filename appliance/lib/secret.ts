import { inspect } from 'node:util';

const printed = '[secret]';

/**
 * Room for octets that are wiped one day. Outside of V8's heap: there, arrays of up to 64 octets are moved about by the garbage collector,
 * which leaves copies behind that nobody can wipe.
 */
export function secretOctets(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

/** The octets of a Buffer that Node has made for us, without a copy. */
export function ownedOctets(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** All parts one after the other, in room of their own. */
export function joinSecret(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = secretOctets(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * Octets that must not reach a log, a status or an error: every way of printing one says `[secret]`.
 * `reveal` is the only way to the octets, so that a search for it finds each use.
 */
export class Secret {
  readonly #octets: Uint8Array;

  /** Takes ownership: the caller keeps no other reference to `octets`, which are best `secretOctets`. */
  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get length(): number {
    return this.#octets.length;
  }

  reveal(): Uint8Array {
    return this.#octets;
  }

  /** Overwrites the octets with zeros; the secret is unusable afterwards. */
  wipe(): void {
    this.#octets.fill(0);
  }

  toString(): string {
    return printed;
  }

  toJSON(): string {
    return printed;
  }

  [inspect.custom](): string {
    return printed;
  }
}
