import { inspect } from 'node:util';

const printed = '[secret]';

/**
 * Octets that must not reach a log, a status or an error: every way of printing one says `[secret]`.
 * `reveal` is the only way to the octets, so that a search for it finds each use.
 */
export class Secret {
  readonly #octets: Uint8Array;

  /** Takes ownership: the caller keeps no other reference to `octets`. */
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
