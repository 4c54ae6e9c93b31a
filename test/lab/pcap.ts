import { formatIp } from '../../appliance/lib/ip.ts';

/** What a capture tells about one packet; enough to assert sizes, protocols and fragments. */
export interface CapturedPacket {
  /** Seconds since 1970. */
  readonly time: number;
  readonly version: 4 | 6;
  /** Of the payload (IPv6 extension headers skipped). */
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  /** 0 where the protocol has none or the packet is a later fragment. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Octets of the whole IP packet. */
  readonly length: number;
  readonly hops: number;
  readonly dontFragment: boolean;
  readonly isFragment: boolean;
  /** The IP packet as far as it was recorded. */
  readonly octets: Buffer;
}

const headerOctets = 24;
const recordOctets = 16;
const linkEthernet = 1;
const linkRaw = 101;

/** Packets of a little-endian microsecond pcap file, IP only. @throws {Error} on another format. */
export function parsePcap(file: Buffer): CapturedPacket[] {
  if (file.length < headerOctets || file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('not a pcap file');
  const link = file.readUInt32LE(20);
  if (link !== linkEthernet && link !== linkRaw) throw new Error(`link type ${link} is not known`);
  const packets: CapturedPacket[] = [];
  for (let at = headerOctets; at + recordOctets <= file.length; ) {
    const time = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / 1e6;
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + recordOctets, at + recordOctets + length);
    at += recordOctets + length;
    const packet = parseFrame(frame, link);
    if (packet) packets.push({ time, ...packet });
  }
  return packets;
}

type Untimed = Omit<CapturedPacket, 'time'>;

function parseFrame(frame: Buffer, link: number): Untimed | undefined {
  const ip = link === linkRaw ? frame : frame.subarray(14);
  const version = (ip[0] ?? 0) >> 4;
  if (version === 4 && ip.length >= 20) return parseIpv4(ip);
  return version === 6 && ip.length >= 40 ? parseIpv6(ip) : undefined;
}

function parseIpv4(ip: Buffer): Untimed {
  const flags = ip.readUInt16BE(6);
  const later = (flags & 0x1fff) !== 0;
  const protocol = ip.readUInt8(9);
  return {
    version: 4,
    protocol,
    source: [...ip.subarray(12, 16)].join('.'),
    destination: [...ip.subarray(16, 20)].join('.'),
    ...ports(ip, later ? -1 : (ip.readUInt8(0) & 15) * 4, protocol),
    length: ip.readUInt16BE(2),
    hops: ip.readUInt8(8),
    dontFragment: (flags & 0x4000) !== 0,
    isFragment: later || (flags & 0x2000) !== 0,
    octets: ip,
  };
}

function parseIpv6(ip: Buffer): Untimed {
  let protocol = ip.readUInt8(6);
  let at = 40;
  let isFragment = false;
  let later = false;
  while ([0, 43, 44, 60].includes(protocol) && at + 8 <= ip.length) {
    if (protocol === 44) {
      isFragment = true;
      later = (ip.readUInt16BE(at + 2) & 0xfff8) !== 0;
    }
    const octets = protocol === 44 ? 8 : (ip.readUInt8(at + 1) + 1) * 8;
    protocol = ip.readUInt8(at);
    at += octets;
  }
  return {
    version: 6,
    protocol,
    source: formatIp(ip.subarray(8, 24)),
    destination: formatIp(ip.subarray(24, 40)),
    ...ports(ip, later ? -1 : at, protocol),
    length: ip.readUInt16BE(4) + 40,
    hops: ip.readUInt8(7),
    dontFragment: true,
    isFragment,
    octets: ip,
  };
}

function ports(ip: Buffer, at: number, protocol: number): { sourcePort: number; destinationPort: number } {
  const has = at > 0 && (protocol === 6 || protocol === 17) && at + 4 <= ip.length;
  return { sourcePort: has ? ip.readUInt16BE(at) : 0, destinationPort: has ? ip.readUInt16BE(at + 2) : 0 };
}
