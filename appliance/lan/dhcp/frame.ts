import { Writer } from '../../lib/bytes.ts';
import { parseMac } from './arp.ts';
import { ipv4Octets } from './ipv4.ts';
import { clientPort, serverPort } from './numbers.ts';

export interface FrameAddresses {
  readonly sourceMac: Uint8Array;
  readonly destinationMac: string;
  /** Dotted IPv4. */
  readonly source: string;
  readonly destination: string;
}

const ethernetHeader = 14;
const ipHeader = 20;
const udpHeader = 8;
const udp = 17;

/** A DHCP reply as a whole Ethernet frame, for a client whose address ARP cannot find yet. */
export function encodeReplyFrame(payload: Uint8Array, addresses: FrameAddresses): Uint8Array {
  const udpLength = udpHeader + payload.length;
  const frame = new Writer()
    .bytes(parseMac(addresses.destinationMac))
    .bytes(addresses.sourceMac)
    .u16(0x0800)
    .u8(0x45)
    .u8(0xc0) // network control, as routing daemons and other DHCP servers mark theirs
    .u16(ipHeader + udpLength)
    .u32(0)
    .u8(64)
    .u8(udp)
    .u16(0)
    .bytes(ipv4Octets(addresses.source))
    .bytes(ipv4Octets(addresses.destination))
    .u16(serverPort)
    .u16(clientPort)
    .u16(udpLength)
    .u16(0)
    .bytes(payload)
    .finish();
  const view = new DataView(frame.buffer);
  view.setUint16(ethernetHeader + 10, checksum(frame.subarray(ethernetHeader, ethernetHeader + ipHeader), 0));
  const segment = frame.subarray(ethernetHeader + ipHeader);
  const pseudo = sum16(frame.subarray(ethernetHeader + 12, ethernetHeader + ipHeader)) + udp + udpLength;
  // RFC 768: a checksum of zero is sent as all ones, zero means none.
  view.setUint16(ethernetHeader + ipHeader + 6, checksum(segment, pseudo) || 0xffff);
  return frame;
}

function sum16(octets: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) sum += ((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0);
  return sum;
}

/** RFC 1071. `start`: a sum to begin with, such as that of the pseudo header. */
function checksum(octets: Uint8Array, start: number): number {
  let sum = start + sum16(octets);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
