import { DecodeError, type Reader } from '../../lib/bytes.ts';

/* RFC 7296 3.9: the nonce is the whole body, 16 to 256 octets. */

/** @throws {DecodeError} */
export function decodeNonce(reader: Reader): Uint8Array {
  const nonce = reader.rest();
  if (nonce.length < 16 || nonce.length > 256) throw new DecodeError(`a nonce of ${nonce.length} octets`);
  return nonce;
}
