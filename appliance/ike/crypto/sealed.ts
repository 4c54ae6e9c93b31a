import { DecodeError, Reader, Writer } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import type { IkeCipher } from '../api.ts';
import { payloadTypes } from '../numbers.ts';
import { encodeHeader, type Header, headerLength, patchLength, type ReceivedHeader } from '../wire/header.ts';
import { encodePayloads, type Payload } from '../wire/payloads.ts';
import { aeadOpen, aeadSeal, ivLength, tagLength } from './aead.ts';

/*
 * RFC 7296 3.14 with the AEAD of RFC 5282 3: the encrypted payload is the only one of its message.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Next Payload  |C|  RESERVED   |         Payload Length        |
 * |                     Initialization Vector (8 octets)          |
 * ~                    Encrypted IKE Payloads                     ~
 * +               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |               |             Padding (0-255 octets)            |
 * +-+-+-+-+-+-+-+-+                               +-+-+-+-+-+-+-+-+
 * |                                               |  Pad Length   |
 * ~                    Integrity Checksum Data (16 octets)        ~
 */
const payloadHeaderLength = 4;
const associatedLength = headerLength + payloadHeaderLength;

/** Seals with one key. The IV counts up and never returns, whatever becomes of the message (RFC 5282 3). */
export class Sealer {
  readonly #cipher: IkeCipher;
  readonly #key: Secret;
  #counter = 0n;

  constructor(cipher: IkeCipher, key: Secret) {
    this.#cipher = cipher;
    this.#key = key;
  }

  seal(header: Header, payloads: readonly Payload[]): Uint8Array {
    const chain = encodePayloads(payloads);
    const plain = new Writer().bytes(chain.bytes).u8(0).finish(); // no padding: an AEAD needs none
    const length = payloadHeaderLength + ivLength + plain.length + tagLength;
    const writer = new Writer();
    encodeHeader(writer, header, payloadTypes.SK);
    patchLength(writer, headerLength + length);
    writer.u8(chain.first).u8(0).u16(length);
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
}

export class Opener {
  readonly #cipher: IkeCipher;
  readonly #key: Secret;

  constructor(cipher: IkeCipher, key: Secret) {
    this.#cipher = cipher;
    this.#key = key;
  }

  /**
   * Null when the octets were not sealed with this key.
   * @throws {DecodeError} when they are no such message, or what was sealed has an impossible padding
   */
  open(header: ReceivedHeader, message: Uint8Array): Opened | null {
    if (header.nextPayload !== payloadTypes.SK) throw new DecodeError('an encrypted payload must come first');
    const reader = new Reader(message);
    reader.skip(headerLength);
    const first = reader.u8();
    reader.skip(1);
    if (reader.u16() !== message.length - headerLength) throw new DecodeError('an encrypted payload must come last');
    const iv = reader.bytes(ivLength);
    const associated = message.subarray(0, associatedLength);
    const plain = aeadOpen(this.#cipher, { key: this.#key.reveal(), iv, associated, data: reader.rest() });
    return plain === null ? null : { first, chain: withoutPadding(plain) };
  }
}

function withoutPadding(plain: Uint8Array): Uint8Array {
  const padLength = plain[plain.length - 1];
  if (padLength === undefined || padLength + 1 > plain.length) throw new DecodeError('more padding than octets');
  return plain.subarray(0, plain.length - 1 - padLength);
}
