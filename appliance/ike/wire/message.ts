import { DecodeError, Reader } from '../../lib/bytes.ts';
import { notifyTypes, payloadTypes } from '../numbers.ts';
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

/** What a flood of IKE_SA_INITs is looked at for: the nonce, and the cookie if there is one. */
export interface Peeked {
  readonly nonce: Uint8Array | null;
  readonly cookie: Uint8Array | null;
}

const nothing: Peeked = { nonce: null, cookie: null };

/** Goes over the chain without decoding it; nothing is found in one that is broken. */
export function peekInit(header: ReceivedHeader, bytes: Uint8Array): Peeked {
  let found = nothing;
  let type = header.nextPayload;
  for (let at = headerLength; type !== 0; ) {
    const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    if (length < 4 || at + length > bytes.length) return nothing;
    found = withPayload(found, type, bytes.subarray(at + 4, at + length));
    type = bytes[at] ?? 0;
    at += length;
  }
  return found;
}

/** RFC 7296 3.10: protocol, SPI size, type; a cookie has no SPI. */
function withPayload(found: Peeked, type: number, body: Uint8Array): Peeked {
  if (type === payloadTypes.Nonce) return { ...found, nonce: body };
  if (type !== payloadTypes.N || body[1] !== 0) return found;
  const isCookie = (((body[2] ?? 0) << 8) | (body[3] ?? 0)) === notifyTypes.COOKIE;
  return isCookie ? { ...found, cookie: body.subarray(4) } : found;
}
