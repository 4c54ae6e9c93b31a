import { DecodeError } from '../../../lib/bytes.ts';
import { type Name, nameOctets } from './name.ts';

const pointerBits = 0xc0;
/** RFC 1035 3.1: one octet each, and its length, in 255. */
const maxLabels = 127;

/**
 * Reads a DNS message. Fields may not run past `end`; names may follow compression pointers into what came before
 * (RFC 1035 4.1.4). All work that pointers make is bounded: each must point strictly backwards, and the labels that
 * one message expands are bounded by its size, so a message of pointers costs no more than a message of text.
 */
export class MessageReader {
  readonly bytes: Buffer;
  at: number;
  #end: number;
  #labelsLeft: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.at = 0;
    this.#end = bytes.length;
    this.#labelsLeft = 1024 + 4 * bytes.length;
  }

  get remaining(): number {
    return this.#end - this.at;
  }

  u8(): number {
    return this.bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.#take(4));
  }

  /** `length` octets as a binary string: a copy that keeps no datagram alive. */
  octets(length: number): string {
    const start = this.#take(length);
    return this.bytes.toString('latin1', start, start + length);
  }

  /** Runs `read` over the next `length` octets; fields in there cannot leave them, and must use them up. */
  within<T>(length: number, read: () => T): T {
    const outer = this.#end;
    const end = this.#take(length) + length;
    this.at = end - length;
    this.#end = end;
    const value = read();
    if (this.at !== end) throw new DecodeError(`${end - this.at} octets of RDATA left over`);
    this.#end = outer;
    return value;
  }

  /** A name with its case, expanded. */
  name(): Name {
    const start = this.at;
    const plain = this.#labels(start);
    if (this.bytes[plain] === 0) {
      this.#take(plain + 1 - start);
      return this.bytes.toString('latin1', start, plain + 1);
    }
    this.#take(plain + 2 - start);
    return this.#bounded(this.bytes.toString('latin1', start, plain) + this.#follow(plain, start));
  }

  /** Where the run of labels that starts at `at` ends: the offset of its root octet or its pointer. */
  #labels(start: number): number {
    let at = start;
    for (;;) {
      const length = this.bytes[at];
      if (length === undefined) throw new DecodeError(`a name at ${start} runs out of the message`);
      if (length === 0 || length >= pointerBits) return at;
      if (length > 63) throw new DecodeError(`label type ${length >> 6} at ${at}`);
      at += 1 + length;
      this.#labelsLeft -= 1;
      if (at - start > nameOctets) throw new DecodeError(`a name at ${start} is longer than ${nameOctets} octets`);
    }
  }

  #follow(pointer: number, before: number): Name {
    let name = '';
    let limit = before;
    let from = pointer;
    for (let hops = 0; ; hops += 1) {
      this.#labelsLeft -= 1;
      // A pointer behind each label is the most that an honest name can have.
      if (hops > maxLabels) throw new DecodeError('a name of pointers to pointers');
      if (this.#labelsLeft < 0) throw new DecodeError('the names of this message expand to more than it is worth');
      if (from + 1 >= this.bytes.length) throw new DecodeError(`a pointer at ${from} runs out of the message`);
      const target = this.bytes.readUInt16BE(from) & 0x3fff;
      if (target >= limit) throw new DecodeError(`the pointer at ${from} does not point backwards`);
      const end = this.#labels(target);
      const stop = this.bytes[end] === 0 ? end + 1 : end;
      if (stop > target) name = this.#bounded(name + this.bytes.toString('latin1', target, stop));
      if (stop !== end) return name;
      limit = target;
      from = end;
    }
  }

  #bounded(name: Name): Name {
    if (name.length > nameOctets) throw new DecodeError(`a name of more than ${nameOctets} octets`);
    return name;
  }

  #take(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.#end - start) {
      throw new DecodeError(`${length} octets wanted at ${start}, ${this.#end - start} left`);
    }
    this.at = start + length;
    return start;
  }
}
