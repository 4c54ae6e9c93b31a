import { compareBytes, DecodeError, type Reader, Writer } from '../../lib/bytes.ts';
import { familyOf, formatIp, parseIp } from '../../lib/ip.ts';
import type { Selector } from '../../lib/net.ts';

/*
 * RFC 7296 3.13: a count, three reserved octets, and that many selectors.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |   TS Type     |IP Protocol ID |       Selector Length         |
 * |           Start Port          |           End Port            |
 * ~                         Starting Address                      ~
 * ~                         Ending Address                        ~
 */
const addressLengths: Readonly<Record<number, number>> = { 7: 4, 8: 16 };
const types = { 4: 7, 6: 8 } as const;

/**
 * Selectors of unknown type and the OPAQUE port range are left out: nothing moat carries could match them.
 * @throws {DecodeError}
 */
export function decodeSelectors(reader: Reader): Selector[] {
  const count = reader.u8();
  reader.skip(3);
  const selectors: Selector[] = [];
  for (let i = 0; i < count; i += 1) {
    const type = reader.u8();
    const protocol = reader.u8();
    const selector = decodeSelector(reader.sub(reader.u16() - 4), addressLengths[type], protocol);
    if (selector !== null) selectors.push(selector);
  }
  if (reader.remaining > 0) throw new DecodeError('octets behind the last selector');
  return selectors;
}

function decodeSelector(reader: Reader, addressLength: number | undefined, protocol: number): Selector | null {
  if (addressLength === undefined) return null;
  const startPort = reader.u16();
  const endPort = reader.u16();
  const start = reader.bytes(addressLength);
  const end = reader.bytes(addressLength);
  if (reader.remaining > 0) throw new DecodeError('a selector that is longer than its addresses');
  if (compareBytes(start, end) > 0) throw new DecodeError('a selector that ends before it starts');
  if (startPort === 65535 && endPort === 0) return null; // OPAQUE, RFC 7296 3.13.1
  if (startPort > endPort) throw new DecodeError('a selector whose ports end before they start');
  return { startAddress: formatIp(start), endAddress: formatIp(end), protocol, startPort, endPort };
}

export function encodeSelectors(selectors: readonly Selector[]): Uint8Array {
  const writer = new Writer().u8(selectors.length).u8(0).u16(0);
  for (const selector of selectors) {
    const start = parseIp(selector.startAddress);
    writer
      .u8(types[familyOf(selector.startAddress)])
      .u8(selector.protocol)
      .u16(8 + 2 * start.length);
    writer.u16(selector.startPort).u16(selector.endPort).bytes(start).bytes(parseIp(selector.endAddress));
  }
  return writer.finish();
}
