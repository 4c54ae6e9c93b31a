import { DecodeError, type Reader, type Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.1
 *
 *                      1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                       IKE SA Initiator's SPI                  |
 * |                       IKE SA Responder's SPI                  |
 * |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
 * |                          Message ID                           |
 * |                            Length                             |
 */
export const headerLength = 28;
const lengthOffset = 24;

const flagInitiator = 0x08;
const flagResponse = 0x20;
const version2 = 0x20;

export interface Header {
  /** 8 octets each. */
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
  /** Sent by the original initiator of the IKE SA. */
  readonly fromInitiator: boolean;
  readonly response: boolean;
  readonly exchange: number;
  readonly messageId: number;
}

export interface ReceivedHeader extends Header {
  readonly majorVersion: number;
  readonly nextPayload: number;
  readonly length: number;
}

/** @throws {DecodeError} when there are fewer octets than a header has, or it claims fewer than that. */
export function decodeHeader(reader: Reader): ReceivedHeader {
  const spiInitiator = reader.bytes(8);
  const spiResponder = reader.bytes(8);
  const nextPayload = reader.u8();
  const majorVersion = reader.u8() >> 4;
  const exchange = reader.u8();
  const flags = reader.u8();
  const messageId = reader.u32();
  const length = reader.u32();
  if (length < headerLength) throw new DecodeError(`a message of ${length} octets is shorter than its header`);
  return {
    spiInitiator,
    spiResponder,
    fromInitiator: (flags & flagInitiator) !== 0,
    response: (flags & flagResponse) !== 0,
    exchange,
    messageId,
    majorVersion,
    nextPayload,
    length,
  };
}

/** The length is 0 until `patchLength`. */
export function encodeHeader(writer: Writer, header: Header, nextPayload: number): void {
  const flags = (header.fromInitiator ? flagInitiator : 0) | (header.response ? flagResponse : 0);
  writer.bytes(header.spiInitiator).bytes(header.spiResponder);
  writer.u8(nextPayload).u8(version2).u8(header.exchange).u8(flags);
  writer.u32(header.messageId).u32(0);
}

export function patchLength(writer: Writer, length: number): void {
  writer.patchU32(lengthOffset, length);
}
