import { DecodeError, type Reader, Writer } from '../../lib/bytes.ts';
import { firstStatusNotify, type NotifyName, notifyTypes, protocols } from '../numbers.ts';

/*
 * RFC 7296 3.10
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |  Protocol ID  |   SPI Size    |      Notify Message Type      |
 * ~                Security Parameter Index (SPI)                 ~
 * ~                       Notification Data                       ~
 */
export interface Notify {
  readonly protocol: number;
  readonly spi: Uint8Array;
  readonly notify: number;
  readonly data: Uint8Array;
}

/** @throws {DecodeError} */
export function decodeNotify(reader: Reader): Notify {
  const protocol = reader.u8();
  const spiSize = reader.u8();
  if (spiSize !== 0 && spiSize !== 4 && spiSize !== 8)
    throw new DecodeError(`a notify with an SPI of ${spiSize} octets`);
  const notify = reader.u16();
  return { protocol, spi: reader.bytes(spiSize), notify, data: reader.rest() };
}

export function encodeNotify(payload: Notify): Uint8Array {
  const writer = new Writer().u8(payload.protocol).u8(payload.spi.length).u16(payload.notify);
  return writer.bytes(payload.spi).bytes(payload.data).finish();
}

const nothing = new Uint8Array();

export function notifyOf(name: NotifyName, data: Uint8Array = nothing): Notify {
  return { protocol: protocols.none, spi: nothing, notify: notifyTypes[name], data };
}

/** A notify about an ESP SA, such as REKEY_SA: `spi` is the sender's inbound one. */
export function notifyAboutEsp(name: NotifyName, spi: number): Notify {
  const octets = new Writer().u32(spi).finish();
  return { protocol: protocols.ESP, spi: octets, notify: notifyTypes[name], data: nothing };
}

export function isError(payload: Notify): boolean {
  return payload.notify < firstStatusNotify;
}
