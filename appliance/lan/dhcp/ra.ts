import { DecodeError, Reader, Writer } from '../../lib/bytes.ts';
import { type Prefix, parseIp } from '../../lib/ip.ts';
import { asciiOctets, encodeName } from './names.ts';

// RFC 4861 4.2
//
//   type 134 (1)  code 0 (1)  checksum (2, by the kernel)
//   hop limit (1)  M O prf flags (1)  router lifetime (2)
//   reachable time (4)  retransmission timer (4)  options: type (1) length in units of 8 octets (1) ...

/** Lifetimes in seconds, 0xffffffff = for ever. */
export interface PrefixInformation {
  readonly prefix: Prefix;
  readonly onLink: boolean;
  readonly autonomous: boolean;
  readonly validSeconds: number;
  readonly preferredSeconds: number;
}

export interface RouterAdvertisement {
  /** 0: we are no default router. */
  readonly routerLifetimeSeconds: number;
  /** O flag: more is to be had by DHCPv6 (RFC 4861 4.2). */
  readonly otherConfiguration: boolean;
  readonly mac: Uint8Array;
  readonly mtu: number | undefined;
  readonly prefixes: readonly PrefixInformation[];
  /** RFC 4191; lifetimes as `lifetimeSeconds`. */
  readonly routes: readonly Prefix[];
  readonly dns: readonly string[];
  readonly searchDomains: readonly string[];
  readonly captivePortal: string | undefined;
  /** Of DNS servers, search domains and routes. */
  readonly lifetimeSeconds: number;
}

const type = { solicitation: 133, advertisement: 134 } as const;
/** RFC 4861 4.6, RFC 4191 2.3, RFC 8106 5, RFC 8910 2.3 */
const optionType = {
  sourceLinkLayer: 1,
  prefix: 3,
  mtu: 5,
  route: 24,
  dns: 25,
  search: 31,
  captivePortal: 37,
} as const;

const currentHopLimit = 64;
const otherFlag = 0x40;

export function encodeAdvertisement(advertisement: RouterAdvertisement): Uint8Array {
  const writer = new Writer()
    .u8(type.advertisement)
    .u8(0)
    .u16(0)
    .u8(currentHopLimit)
    .u8(advertisement.otherConfiguration ? otherFlag : 0)
    .u16(advertisement.routerLifetimeSeconds)
    .u32(0)
    .u32(0);
  writer.u8(optionType.sourceLinkLayer).u8(1).bytes(advertisement.mac);
  if (advertisement.mtu !== undefined) writer.u8(optionType.mtu).u8(1).u16(0).u32(advertisement.mtu);
  for (const prefix of advertisement.prefixes) writePrefix(writer, prefix);
  for (const route of advertisement.routes) writeRoute(writer, route, advertisement.lifetimeSeconds);
  writeDns(writer, advertisement);
  return writer.finish();
}

function writePrefix(writer: Writer, information: PrefixInformation): void {
  writer
    .u8(optionType.prefix)
    .u8(4)
    .u8(information.prefix.length)
    .u8((information.onLink ? 0x80 : 0) | (information.autonomous ? 0x40 : 0))
    .u32(information.validSeconds)
    .u32(information.preferredSeconds)
    .u32(0)
    .bytes(parseIp(information.prefix.address));
}

function writeRoute(writer: Writer, route: Prefix, lifetimeSeconds: number): void {
  writer.u8(optionType.route).u8(3).u8(route.length).u8(0).u32(lifetimeSeconds).bytes(parseIp(route.address));
}

function writeDns(writer: Writer, advertisement: RouterAdvertisement): void {
  const { dns, searchDomains, captivePortal, lifetimeSeconds } = advertisement;
  if (dns.length > 0) {
    writer
      .u8(optionType.dns)
      .u8(1 + 2 * dns.length)
      .u16(0)
      .u32(lifetimeSeconds);
    for (const server of dns) writer.bytes(parseIp(server));
  }
  if (searchDomains.length > 0) {
    const names = searchDomains.map(encodeName);
    const octets = names.reduce((sum, name) => sum + name.length, 8);
    writer
      .u8(optionType.search)
      .u8(Math.ceil(octets / 8))
      .u16(0)
      .u32(lifetimeSeconds);
    for (const name of names) writer.bytes(name);
    pad(writer, octets);
  }
  if (captivePortal !== undefined) {
    const uri = asciiOctets(captivePortal);
    writer
      .u8(optionType.captivePortal)
      .u8(Math.ceil((uri.length + 2) / 8))
      .bytes(uri);
    pad(writer, uri.length + 2);
  }
}

/** Options are whole units of 8 octets. */
function pad(writer: Writer, length: number): void {
  writer.bytes(new Uint8Array((8 - (length % 8)) % 8));
}

/** Checks a router solicitation as RFC 4861 6.1.1 wants; the kernel has seen to hop limit and checksum. @throws {DecodeError} */
export function checkSolicitation(octets: Uint8Array, source: string): void {
  const reader = new Reader(octets);
  const [messageType, code] = [reader.u8(), reader.u8()];
  reader.skip(6);
  if (messageType !== type.solicitation || code !== 0) throw new DecodeError(`no solicitation: ${messageType}/${code}`);
  while (reader.remaining > 0) {
    const [kind, units] = [reader.u8(), reader.u8()];
    if (units === 0) throw new DecodeError('an option of length 0');
    if (kind === optionType.sourceLinkLayer && source === '::') throw new DecodeError('a link-layer address of nobody');
    reader.skip(units * 8 - 2);
  }
}
