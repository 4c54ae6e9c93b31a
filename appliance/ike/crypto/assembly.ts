import { concat, DecodeError } from '../../lib/bytes.ts';

/** Bounds what one message may keep us holding; real ones need a dozen. */
const maxFragments = 64;
const maxOctets = 65_536;

export interface Fragment {
  /** From 1 to `total`. */
  readonly number: number;
  readonly total: number;
  readonly first: number;
  readonly data: Uint8Array;
  readonly bytes: Uint8Array;
}

/** The fragments of one message, in whatever order they come (RFC 7383 2.6). */
export class Assembly {
  /** Message id. */
  readonly id: number;
  readonly total: number;
  readonly #parts = new Map<number, Fragment>();
  #octets = 0;

  /** @throws {DecodeError} for more fragments than any message needs, or none. */
  constructor(id: number, total: number) {
    if (total === 0 || total > maxFragments) throw new DecodeError(`a message of ${total} fragments`);
    this.id = id;
    this.total = total;
  }

  /**
   * The message, once its last part is there. A part that is there already, or belongs to a message cut into fewer
   * pieces, is passed over.
   * @throws {DecodeError} for a number that cannot be, or too many octets.
   */
  add(fragment: Fragment): { readonly first: number; readonly chain: Uint8Array; readonly bytes: Uint8Array } | null {
    const { number, total } = fragment;
    if (number === 0 || number > total) throw new DecodeError(`fragment ${number} of ${total}`);
    if (total !== this.total || this.#parts.has(number)) return null;
    this.#octets += fragment.data.length;
    if (this.#octets > maxOctets) throw new DecodeError(`${this.#octets} octets in fragments`);
    this.#parts.set(number, fragment);
    const head = this.#parts.get(1);
    if (this.#parts.size < total || head === undefined) return null;
    const parts = Array.from({ length: total }, (_, i) => this.#parts.get(i + 1)?.data ?? new Uint8Array());
    return { first: head.first, chain: concat(...parts), bytes: head.bytes };
  }
}
