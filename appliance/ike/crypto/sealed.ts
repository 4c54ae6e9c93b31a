import { DecodeError, Reader, Writer } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import type { IkeCipher } from '../api.ts';
import { payloadTypes } from '../numbers.ts';
import { encodeHeader, type Header, headerLength, patchLength, type ReceivedHeader } from '../wire/header.ts';
import { encodePayloads, type Payload } from '../wire/payloads.ts';
import { aeadOpen, aeadSeal, ivLength, tagLength } from './aead.ts';
import { Assembly, type Fragment } from './assembly.ts';

/*
 * RFC 7296 3.14 with the AEAD of RFC 5282 3: the encrypted payload is the only one of its message. In a fragment (RFC
 * 7383 2.5) the second line stands in addition, and what is encrypted is a part of the payloads.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Next Payload  |C|  RESERVED   |         Payload Length        |
 * |        Fragment Number        |        Total Fragments        |
 * |                     Initialization Vector (8 octets)          |
 * ~                    Encrypted IKE Payloads                     ~
 * +               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |               |             Padding (0-255 octets)            |
 * +-+-+-+-+-+-+-+-+                               +-+-+-+-+-+-+-+-+
 * |                                               |  Pad Length   |
 * ~                    Integrity Checksum Data (16 octets)        ~
 */
const payloadHeaderLength = 4;
const fragmentHeaderLength = 4;
const trailerLength = 1 + tagLength;
/** Header, payload header and IV of a whole message; of a fragment, 4 more. */
const frameLength = headerLength + payloadHeaderLength + ivLength + trailerLength;

interface Part {
  readonly first: number;
  readonly data: Uint8Array;
  readonly fragment: { readonly number: number; readonly total: number } | null;
}

/** Seals with one key. The IV counts up and never returns, whatever becomes of the message (RFC 5282 3). */
export class Sealer {
  readonly #cipher: IkeCipher;
  readonly #key: Secret;
  #counter = 0n;

  constructor(cipher: IkeCipher, key: Secret) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /** One datagram, or fragments if it would be longer than `limit` octets. */
  seal(header: Header, payloads: readonly Payload[], limit = Number.POSITIVE_INFINITY): Uint8Array[] {
    const { first, bytes } = encodePayloads(payloads);
    if (bytes.length + frameLength <= limit) return [this.#seal(header, { first, data: bytes, fragment: null })];
    const room = limit - frameLength - fragmentHeaderLength;
    const total = Math.ceil(bytes.length / room);
    return Array.from({ length: total }, (_, i) => {
      const data = bytes.subarray(i * room, (i + 1) * room);
      return this.#seal(header, { first: i === 0 ? first : 0, data, fragment: { number: i + 1, total } });
    });
  }

  #seal(header: Header, { first, data, fragment }: Part): Uint8Array {
    const plain = new Writer().bytes(data).u8(0).finish(); // no padding: an AEAD needs none
    const writer = new Writer();
    encodeHeader(writer, header, fragment ? payloadTypes.SKF : payloadTypes.SK);
    const extra = fragment ? fragmentHeaderLength : 0;
    const length = payloadHeaderLength + extra + ivLength + plain.length + tagLength;
    patchLength(writer, headerLength + length);
    writer.u8(first).u8(0).u16(length);
    if (fragment) writer.u16(fragment.number).u16(fragment.total);
    const associated = writer.finish();
    const iv = new Writer().u64(this.#counter).finish();
    this.#counter += 1n;
    const sealed = aeadSeal(this.#cipher, { key: this.#key.reveal(), iv, associated, data: plain });
    return writer.bytes(iv).bytes(sealed).finish();
  }
}

/** What was inside: the chain of payloads and the type of its first. */
export interface Opened {
  readonly first: number;
  readonly chain: Uint8Array;
  /** The datagram, or the one with the first fragment: by it a repetition is known (RFC 7383 2.6.1). */
  readonly bytes: Uint8Array;
}

export class Opener {
  readonly #cipher: IkeCipher;
  readonly #key: Secret;
  /** One for the peer's requests and one for its answers, which may come at the same time. */
  readonly #assemblies = new Map<boolean, Assembly>();

  constructor(cipher: IkeCipher, key: Secret) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /**
   * `forged` when the octets were not sealed with this key; `incomplete` for a fragment whose message is not whole yet.
   * The caller has checked that the message id is one that it waits for.
   * @throws {DecodeError} when they are no such message, or what was sealed has an impossible padding
   */
  open(header: ReceivedHeader, message: Uint8Array): Opened | 'forged' | 'incomplete' {
    const isFragment = header.nextPayload === payloadTypes.SKF;
    if (!isFragment && header.nextPayload !== payloadTypes.SK)
      throw new DecodeError('an encrypted payload must come first');
    const reader = new Reader(message);
    reader.skip(headerLength);
    const first = reader.u8();
    reader.skip(1);
    if (reader.u16() !== message.length - headerLength) throw new DecodeError('an encrypted payload must come last');
    const number = isFragment ? reader.u16() : 1;
    const total = isFragment ? reader.u16() : 1;
    const associated = message.subarray(0, message.length - reader.remaining);
    const iv = reader.bytes(ivLength);
    const plain = aeadOpen(this.#cipher, { key: this.#key.reveal(), iv, associated, data: reader.rest() });
    if (plain === null) return 'forged';
    const data = withoutPadding(plain);
    if (!isFragment) return { first, chain: data, bytes: message };
    return this.#assemble(header, { number, total, first, data, bytes: message });
  }

  /** RFC 7383 2.6: only fragments that are authentic get here. */
  #assemble(header: ReceivedHeader, fragment: Fragment): Opened | 'incomplete' {
    const current = this.#assemblies.get(header.response);
    const restart = current === undefined || current.id !== header.messageId || fragment.total > current.total;
    const assembly = restart ? new Assembly(header.messageId, fragment.total) : current;
    this.#assemblies.set(header.response, assembly);
    const whole = assembly.add(fragment);
    if (whole === null) return 'incomplete';
    this.#assemblies.delete(header.response);
    return whole;
  }
}

function withoutPadding(plain: Uint8Array): Uint8Array {
  const padLength = plain[plain.length - 1];
  if (padLength === undefined || padLength + 1 > plain.length) throw new DecodeError('more padding than octets');
  return plain.subarray(0, plain.length - 1 - padLength);
}
