import type { Rr } from './message.ts';
import { type Name, root } from './name.ts';
import { type Ede, headerOctets, messageOctets, Type } from './numbers.ts';
import { compressibleAt, nameAt, type Rdata } from './rdata.ts';

/** A pointer has 14 bits (RFC 1035 4.1.4). */
const pointerReach = 0x4000;

/** One buffer for all messages: the core is synchronous, and `finish` copies. */
const scratch = Buffer.allocUnsafe(messageOctets);

/** Writes one DNS message; names are compressed against what stands before. Cost is linear in the size. */
export class MessageWriter {
  #at = headerOctets;
  readonly #suffixes = new Map<Name, number>();
  readonly #counts = [0, 0, 0, 0];
  /** Offsets of the fields that count down in a cache. */
  readonly ttlOffsets: number[] = [];

  constructor(id: number, flags: number) {
    scratch.writeUInt16BE(id, 0);
    scratch.writeUInt16BE(flags, 2);
  }

  get length(): number {
    return this.#at;
  }

  question(name: Name, type: number, klass: number): void {
    this.#name(name);
    this.#u16(type);
    this.#u16(klass);
    this.#count(0);
  }

  /**
   * Adds a record to section 1 (answer), 2 (authority) or 3 (additional).
   * @returns false, and leaves the message as it was, when the record does not fit into 65,535 octets.
   */
  record(section: 1 | 2 | 3, rr: Rr): boolean {
    // Everything but the names is known beforehand; uncompressed names bound the rest.
    if (this.#at + rr.owner.length + 10 + rr.rdata.length > messageOctets) return false;
    this.#name(rr.owner);
    this.#u16(rr.type);
    this.#u16(rr.class);
    this.ttlOffsets.push(this.#at);
    this.#u16(rr.ttl >>> 16);
    this.#u16(rr.ttl & 0xffff);
    this.#rdata(rr.type, rr.rdata);
    this.#count(section);
    return true;
  }

  /** The octets so far, as a copy of their own. */
  finish(): Buffer {
    this.#counts.forEach((count, i) => {
      scratch.writeUInt16BE(count, 4 + 2 * i);
    });
    return Buffer.from(scratch.subarray(0, this.#at));
  }

  #rdata(type: number, rdata: Rdata): void {
    const lengthAt = this.#at;
    this.#at += 2;
    const before = compressibleAt(type);
    if (before === undefined || rdata === '') this.#octets(rdata);
    else this.#compressed(rdata, before, type === Type.SOA ? 2 : 1);
    scratch.writeUInt16BE(this.#at - lengthAt - 2, lengthAt);
  }

  #compressed(rdata: Rdata, before: number, names: number): void {
    this.#octets(rdata.slice(0, before));
    let at = before;
    for (let i = 0; i < names; i += 1) {
      const name = nameAt(rdata, at);
      this.#name(name);
      at += name.length;
    }
    this.#octets(rdata.slice(at));
  }

  #name(name: Name): void {
    let at = 0;
    while (name.charCodeAt(at) > 0) {
      const suffix = at === 0 ? name : name.slice(at);
      const known = this.#suffixes.get(suffix);
      if (known !== undefined) {
        this.#u16(0xc000 | known);
        return;
      }
      if (this.#at < pointerReach) this.#suffixes.set(suffix, this.#at);
      const next = at + 1 + name.charCodeAt(at);
      this.#octets(name.slice(at, next));
      at = next;
    }
    this.#octets(root);
  }

  #octets(octets: string): void {
    this.#at += scratch.write(octets, this.#at, 'latin1');
  }

  #u16(value: number): void {
    this.#at = scratch.writeUInt16BE(value, this.#at);
  }

  #count(section: number): void {
    this.#counts[section] = (this.#counts[section] ?? 0) + 1;
  }
}

/** An OPT record with at most one extended error (RFC 6891 6.1.2, RFC 8914 2), ready to stand last in a message. */
export function optRecord(options: {
  udpOctets: number;
  dnssecOk: boolean;
  extendedRcode: number;
  ede?: Ede | undefined;
}): Buffer {
  const text = options.ede ? Buffer.from(options.ede.text, 'utf8').subarray(0, 120) : undefined;
  const opt = Buffer.alloc(11 + (text ? 6 + text.length : 0));
  opt.writeUInt16BE(Type.OPT, 1);
  opt.writeUInt16BE(options.udpOctets, 3);
  opt.writeUInt8(options.extendedRcode, 5);
  opt.writeUInt16BE(options.dnssecOk ? 0x8000 : 0, 7);
  if (text && options.ede) {
    opt.writeUInt16BE(6 + text.length, 9);
    opt.writeUInt16BE(15, 11);
    opt.writeUInt16BE(2 + text.length, 13);
    opt.writeUInt16BE(options.ede.code, 15);
    text.copy(opt, 17);
  }
  return opt;
}
