import { DecodeError, type Reader, Writer } from '../../lib/bytes.ts';

/*
 * RFC 7296 3.15: what a client asks for and is given.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |   CFG Type    |                    RESERVED                   |
 * |R|         Attribute Type      |            Length             |
 * ~                             Value                             ~
 */
export interface Configuration {
  readonly kind: number;
  readonly attributes: readonly Attribute[];
}

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export const configurationKinds = { REQUEST: 1, REPLY: 2, SET: 3, ACK: 4 } as const;

/** The IANA registry "IKEv2 Configuration Payload Attribute Types", as far as moat reads or writes them. */
export const attributeTypes = {
  INTERNAL_IP4_ADDRESS: 1,
  INTERNAL_IP4_NETMASK: 2,
  INTERNAL_IP4_DNS: 3,
  INTERNAL_IP6_ADDRESS: 8,
  INTERNAL_IP6_DNS: 10,
  INTERNAL_DNS_DOMAIN: 25,
} as const;

/** In a request the value may be empty; otherwise it has this many octets. */
const lengths = new Map<number, number>([
  [attributeTypes.INTERNAL_IP4_ADDRESS, 4],
  [attributeTypes.INTERNAL_IP4_NETMASK, 4],
  [attributeTypes.INTERNAL_IP4_DNS, 4],
  [attributeTypes.INTERNAL_IP6_ADDRESS, 17],
  [attributeTypes.INTERNAL_IP6_DNS, 16],
]);

/** Real ones have a dozen; split DNS may name many domains. */
const maxAttributes = 256;

/** @throws {DecodeError} */
export function decodeConfiguration(reader: Reader): Configuration {
  const kind = reader.u8();
  reader.skip(3);
  const attributes: Attribute[] = [];
  while (reader.remaining > 0) {
    if (attributes.length === maxAttributes) throw new DecodeError(`more than ${maxAttributes} attributes`);
    const type = reader.u16() & 0x7fff;
    const value = reader.bytes(reader.u16());
    const wanted = lengths.get(type);
    if (wanted !== undefined && value.length !== 0 && value.length !== wanted) {
      throw new DecodeError(`attribute ${type} of ${value.length} octets`);
    }
    attributes.push({ type, value });
  }
  return { kind, attributes };
}

export function encodeConfiguration({ kind, attributes }: Configuration): Uint8Array {
  const writer = new Writer().u8(kind).u8(0).u16(0);
  for (const { type, value } of attributes) writer.u16(type).u16(value.length).bytes(value);
  return writer.finish();
}
