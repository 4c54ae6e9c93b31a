import { Reader, Writer } from '../../lib/bytes.ts';
import { formatIp } from '../../lib/ip.ts';
import { ipv4Octets } from './ipv4.ts';

// RFC 826 in Ethernet: destination (6) source (6) type (2) | hardware (2) protocol (2) lengths (1+1) operation (2)
// sender MAC (6) sender IP (4) target MAC (6) target IP (4)

const etherTypeArp = 0x0806;
const etherTypeIpv4 = 0x0800;
const reply = 2;
const broadcastMac = new Uint8Array(6).fill(0xff);

/** An ARP probe (RFC 5227 1.1): a request without a sender address, so that it changes nobody's cache. */
export function encodeArpProbe(ownMac: Uint8Array, address: string): Uint8Array {
  return new Writer()
    .bytes(broadcastMac)
    .bytes(ownMac)
    .u16(etherTypeArp)
    .u16(1)
    .u16(etherTypeIpv4)
    .u8(6)
    .u8(4)
    .u16(1)
    .bytes(ownMac)
    .bytes(new Uint8Array(4))
    .bytes(new Uint8Array(6))
    .bytes(ipv4Octets(address))
    .finish();
}

export interface ArpReply {
  readonly address: string;
  /** Lower-case, with colons. */
  readonly mac: string;
}

/** Undefined for ARP that is no reply for IPv4. @throws {DecodeError} on a short frame. */
export function decodeArpReply(frame: Uint8Array): ArpReply | undefined {
  const reader = new Reader(frame);
  reader.skip(12);
  const kind = [reader.u16(), reader.u16(), reader.u16(), reader.u8(), reader.u8(), reader.u16()];
  const wanted = [etherTypeArp, 1, etherTypeIpv4, 6, 4, reply];
  const mac = formatMac(reader.bytes(6));
  const address = formatIp(reader.bytes(4));
  return kind.every((value, i) => value === wanted[i]) ? { address, mac } : undefined;
}

function formatMac(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}

export function parseMac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
}
