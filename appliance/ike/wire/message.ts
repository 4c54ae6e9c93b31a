import { DecodeError, Reader } from '../../lib/bytes.ts';
import { decodeHeader, headerLength, type ReceivedHeader } from './header.ts';
import { decodePayloads, type Payload } from './payloads.ts';

/* The way from a datagram to header and payloads where nothing is known of its sender yet: garbage is null. */

/** Null unless the datagram is one whole message. */
export function readHeader(bytes: Uint8Array): ReceivedHeader | null {
  try {
    const header = decodeHeader(new Reader(bytes));
    return header.length === bytes.length ? header : null;
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

/** Of a message that is not encrypted. */
export function readPayloads(header: ReceivedHeader, bytes: Uint8Array): Payload[] | null {
  try {
    return decodePayloads(header.nextPayload, new Reader(bytes.subarray(headerLength)));
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

export function isZero(spi: Uint8Array): boolean {
  return spi.every((octet) => octet === 0);
}
