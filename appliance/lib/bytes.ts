/** Octets from outside that do not follow their format. The only error a decoder throws. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Reads big-endian fields off a fixed slice; running out throws `DecodeError`, so codecs check no lengths. */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#at(this.#take(1));
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#at(at) << 8) | this.#at(at + 1);
  }

  u32(): number {
    const at = this.#take(4);
    return ((this.#at(at) << 24) | (this.#at(at + 1) << 16) | (this.#at(at + 2) << 8) | this.#at(at + 3)) >>> 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A copy, so that nothing keeps a received datagram alive or sees it change. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** A reader over the next `length` octets: a lying inner length cannot leave it. */
  sub(length: number): Reader {
    const start = this.#take(length);
    return new Reader(this.#bytes.subarray(start, start + length));
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** A view would cost more than most of what is read. */
  #at(index: number): number {
    return this.#bytes[index] ?? 0;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length < 0 || length > this.remaining) {
      throw new DecodeError(`${length} octets wanted at ${start}, ${this.remaining} left`);
    }
    this.#offset = start + length;
    return start;
  }
}

/** Collects big-endian fields; lengths that depend on what follows are filled in by `patchU16`. */
export class Writer {
  // The engine keeps so few octets in its own heap, where they cost next to nothing; most of what is written is that short.
  #bytes = new Uint8Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    return this.#put16(this.#grow(2), value);
  }

  u32(value: number): this {
    const at = this.#grow(4);
    return this.#put16(at, value >>> 16).#put16(at + 2, value);
  }

  u64(value: bigint): this {
    return this.u32(Number(value >> 32n)).u32(Number(value & 0xffff_ffffn));
  }

  bytes(octets: Uint8Array): this {
    const at = this.#grow(octets.length);
    this.#bytes.set(octets, at);
    return this;
  }

  /** @throws {RangeError} when nothing was written there. */
  patchU16(at: number, value: number): this {
    return this.#put16(this.#written(at, 2), value);
  }

  /** @throws {RangeError} when nothing was written there. */
  patchU32(at: number, value: number): this {
    this.#written(at, 4);
    return this.#put16(at, value >>> 16).#put16(at + 2, value);
  }

  /** The collected octets, as a copy of their own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #put16(at: number, value: number): this {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  #written(at: number, length: number): number {
    if (at < 0 || at + length > this.#length) throw new RangeError(`nothing is written at ${at}`);
    return at;
  }

  #grow(length: number): number {
    const at = this.#length;
    this.#length = at + length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Lower-case hexadecimal, two digits an octet. */
export function hex(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('hex');
}

/** @throws {DecodeError} on an odd number of digits or a character that is none. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new DecodeError(`not hexadecimal: '${text}'`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** Whether two public values are equal; not for secrets (use `crypto.timingSafeEqual`). */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Octet-wise order as RFC 7296 2.8.1 needs for nonces: a prefix is lower than what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
