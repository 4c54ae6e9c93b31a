import { type Reader, Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.8
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Auth Method   |                RESERVED                       |
 * ~                      Authentication Data                      ~
 */
export interface Authentication {
  readonly method: number;
  readonly data: Uint8Array;
}

/** @throws {DecodeError} */
export function decodeAuthentication(reader: Reader): Authentication {
  const method = reader.u8();
  reader.skip(3);
  return { method, data: reader.rest() };
}

export function encodeAuthentication(auth: Authentication): Uint8Array {
  return new Writer().u8(auth.method).u8(0).u16(0).bytes(auth.data).finish();
}
