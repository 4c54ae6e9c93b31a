import { type Reader, Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.4
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |   Diffie-Hellman Group Num    |           RESERVED            |
 * ~                       Key Exchange Data                       ~
 */
export interface KeyExchangeData {
  readonly group: number;
  readonly data: Uint8Array;
}

/** @throws {DecodeError} */
export function decodeKeyExchange(reader: Reader): KeyExchangeData {
  const group = reader.u16();
  reader.skip(2);
  return { group, data: reader.rest() };
}

export function encodeKeyExchange(ke: KeyExchangeData): Uint8Array {
  return new Writer().u16(ke.group).u16(0).bytes(ke.data).finish();
}
