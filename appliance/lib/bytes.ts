/** Octets from outside that do not follow their format. The only error a decoder throws. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Reads big-endian fields off a fixed slice; running out throws `DecodeError`, so codecs check no lengths. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
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
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  bytes(octets: Uint8Array): this {
    const at = this.#grow(octets.length);
    this.#bytes.set(octets, at);
    return this;
  }

  patchU16(at: number, value: number): this {
    this.#view.setUint16(at, value);
    return this;
  }

  patchU32(at: number, value: number): this {
    this.#view.setUint32(at, value);
    return this;
  }

  /** The collected octets, as a copy of their own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(length: number): number {
    const at = this.#length;
    this.#length = at + length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
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
