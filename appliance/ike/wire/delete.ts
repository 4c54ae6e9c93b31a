import { DecodeError, type Reader, Writer } from '../../lib/bytes.ts';
import { protocols } from '../numbers.ts';

/*
 * RFC 7296 3.11
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Protocol ID   |   SPI Size    |          Num of SPIs          |
 * ~               Security Parameter Index(es) (SPI)              ~
 */
export interface Delete {
  readonly protocol: number;
  /** SPIs of ESP or AH; none when the IKE SA itself is meant. */
  readonly spis: readonly number[];
}

/** @throws {DecodeError} */
export function decodeDelete(reader: Reader): Delete {
  const protocol = reader.u8();
  const spiSize = reader.u8();
  const count = reader.u16();
  const wanted = protocol === protocols.IKE ? 0 : 4;
  if (spiSize !== wanted || (protocol === protocols.IKE && count !== 0)) {
    throw new DecodeError(`a delete of protocol ${protocol} with ${count} SPIs of ${spiSize} octets`);
  }
  if (reader.remaining !== count * spiSize) throw new DecodeError('a delete with more or fewer SPIs than announced');
  return { protocol, spis: Array.from({ length: count }, () => reader.u32()) };
}

export function encodeDelete(payload: Delete): Uint8Array {
  const writer = new Writer().u8(payload.protocol);
  writer.u8(payload.protocol === protocols.IKE ? 0 : 4).u16(payload.spis.length);
  for (const spi of payload.spis) writer.u32(spi);
  return writer.finish();
}
