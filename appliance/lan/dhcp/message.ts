import protocol from 'dhcp/lib/protocol.js';
import { DecodeError } from '../../lib/bytes.ts';
import { broadcast, unspecified } from './ipv4.ts';
import { messageType, option } from './numbers.ts';
import { decodeOptions, layout, placeOptions, type RawOption, type RawOptions } from './options.ts';

// RFC 2131 2, figure 1
//
//   0                   1                   2                   3
//   op (1)         htype (1)      hlen (1)       hops (1)
//   xid (4)
//   secs (2)                      flags (2): B + 15 zero bits
//   ciaddr (4)  yiaddr (4)  siaddr (4)  giaddr (4)
//   chaddr (16)
//   sname (64)  file (128)  cookie 99.130.83.99 (4)  options (variable)

/** A message of a client, as far as every one of them has it. Addresses dotted, `0.0.0.0` where there is none. */
export interface Request {
  readonly type: number;
  readonly xid: number;
  readonly hops: number;
  readonly secs: number;
  /** The client cannot receive unicast before it has an address (RFC 2131 4.1). */
  readonly broadcast: boolean;
  readonly ciaddr: string;
  readonly giaddr: string;
  /** Lower-case, `00:11:22:33:44:55`. */
  readonly mac: string;
  readonly requestedAddress: string | undefined;
  readonly serverIdentifier: string | undefined;
  /** Seconds. */
  readonly leaseTime: number | undefined;
  readonly parameterRequestList: readonly number[] | undefined;
  /** Octets of the IP datagram, at least 576 (RFC 2132 9.10). */
  readonly maximumMessageSize: number;
  readonly options: RawOptions;
}

export interface Reply {
  readonly type: number;
  readonly xid: number;
  readonly broadcast: boolean;
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  readonly mac: string;
  /** Boot file and server name, in the header fields; empty = free for overload. */
  readonly file: string;
  readonly sname: string;
  /** Most important first: when the client's message size is too small, the last ones go. */
  readonly options: readonly RawOption[];
  readonly last: readonly RawOption[];
}

/** Longest message that is looked at; a client's own never comes near (RFC 2131 2: 576 without asking). */
const maximumRequest = 1500;
/** RFC 951 3: relays and old clients drop anything shorter. */
const minimumReply = 300;
const ipAndUdpHeader = 28;
const minimumMessageSize = 576;
const cookie = 0x63825363;
const broadcastFlag = 0x8000;

/**
 * Options of a fixed length that the package reads right, and the least and most octets of each. Everything else
 * is kept from it: option 80, 116 and their like end up in `undefined.type`, unknown ones print a line each,
 * 61, 82, 119 and 121 come out mangled.
 */
const forPackage: ReadonlyMap<number, readonly [number, number]> = new Map([
  [option.requestedAddress, [4, 4]],
  [option.leaseTime, [4, 4]],
  [option.messageType, [1, 1]],
  [option.serverIdentifier, [4, 4]],
  [option.parameterRequestList, [1, 255]],
  [option.maximumMessageSize, [2, 2]],
]);

/** @throws {DecodeError} for what is no DHCP request of an Ethernet client. */
export function decodeRequest(octets: Uint8Array): Request {
  if (octets.length < layout.options || octets.length > maximumRequest) {
    throw new DecodeError(`${octets.length} octets are no DHCP message`);
  }
  const [op, htype, hlen] = octets;
  if (op !== 1) throw new DecodeError(`op ${op} is no request`);
  if (htype !== 1 || hlen !== 6) throw new DecodeError(`hardware type ${htype} length ${hlen} is not Ethernet`);
  // A group address would have us answer to everybody in it.
  if ((octets[layout.chaddr] ?? 1) & 1) throw new DecodeError('the hardware address is one of a group');
  const view = new DataView(octets.buffer, octets.byteOffset);
  if (view.getUint32(layout.cookie) !== cookie) throw new DecodeError('no magic cookie: BOOTP or noise');
  const options = decodeOptions(octets);
  const packet = protocol.parse(guarded(octets, options));
  const type = packet.options[option.messageType];
  if (typeof type !== 'number') throw new DecodeError('no message type: BOOTP');
  return {
    type,
    xid: packet.xid,
    hops: packet.hops,
    secs: packet.secs,
    broadcast: (packet.flags & broadcastFlag) !== 0,
    ciaddr: packet.ciaddr,
    giaddr: packet.giaddr,
    mac: packet.chaddr.replaceAll('-', ':').toLowerCase(),
    requestedAddress: packet.options[option.requestedAddress] as string | undefined,
    serverIdentifier: packet.options[option.serverIdentifier] as string | undefined,
    leaseTime: packet.options[option.leaseTime] as number | undefined,
    parameterRequestList: packet.options[option.parameterRequestList] as number[] | undefined,
    maximumMessageSize: Math.max(minimumMessageSize, Number(packet.options[option.maximumMessageSize] ?? 0)),
    options,
  };
}

/** The header and those options that the package reads right, each of a checked length. */
function guarded(octets: Uint8Array, options: RawOptions): Buffer {
  const out = Buffer.alloc(maximumRequest);
  out.set(octets.subarray(0, layout.sname));
  out.writeUInt32BE(cookie, layout.cookie);
  let at: number = layout.options;
  for (const [code, [least, most]] of forPackage) {
    const value = options.get(code);
    if (!value) continue;
    if (value.length < least || value.length > most) {
      throw new DecodeError(`option ${code} has ${value.length} octets`);
    }
    out[at] = code;
    out[at + 1] = value.length;
    out.set(value, at + 2);
    at += 2 + value.length;
  }
  out[at] = option.end;
  return out.subarray(0, at + 1);
}

export interface Encoded {
  readonly octets: Uint8Array;
  /** Options for which there was no room. */
  readonly dropped: readonly number[];
}

/** `maximumMessageSize`: octets of the IP datagram that the client and the link can take. */
export function encodeReply(reply: Reply, maximumMessageSize: number): Encoded {
  const header = protocol.format({
    ...{ op: 2, htype: 1, hlen: 6, hops: 0, secs: 0, xid: reply.xid },
    flags: reply.broadcast ? broadcastFlag : 0,
    ...{ ciaddr: reply.ciaddr, yiaddr: reply.yiaddr, siaddr: reply.siaddr, giaddr: reply.giaddr },
    ...{ chaddr: reply.mac, sname: reply.sname, file: reply.file, options: {} },
  });
  // Options are ours: the package writes them in ascending order (82 must be last), never splits, cannot overload.
  const placed = placeOptions(reply.options, reply.last, {
    options: Math.max(minimumMessageSize, maximumMessageSize) - ipAndUdpHeader - layout.options,
    file: reply.file === '' ? layout.cookie - layout.file : 0,
    sname: reply.sname === '' ? layout.file - layout.sname : 0,
  });
  const octets = new Uint8Array(Math.max(minimumReply, layout.options + placed.options.length));
  octets.set(header._data.subarray(0, layout.options));
  octets.set(placed.file, layout.file);
  octets.set(placed.sname, layout.sname);
  octets.set(placed.options, layout.options);
  return { octets, dropped: placed.dropped };
}

/** Who gets a reply, and how (RFC 2131 4.1). */
export type Destination =
  /** By the kernel's own routes and neighbours. */
  | { readonly kind: 'datagram'; readonly address: string; readonly port: 'server' | 'client' }
  /** As an Ethernet frame of our own: the client has no address yet that ARP could find. */
  | { readonly kind: 'frame'; readonly mac: string; readonly address: string };

const everyone: Destination = { kind: 'frame', mac: 'ff:ff:ff:ff:ff:ff', address: broadcast };

/**
 * `onLink`: the client is on our interface, so its hardware address is enough. The kernel is not asked for neighbours
 * there: requests in the name of a thousand invented addresses would fill its table, and with that cut off the whole LAN.
 */
export function destinationOf(request: Request, reply: Reply, onLink: boolean): Destination {
  if (request.giaddr !== unspecified) return { kind: 'datagram', address: request.giaddr, port: 'server' };
  if (reply.type === messageType.nak) return everyone;
  if (request.ciaddr !== unspecified) {
    if (onLink) return { kind: 'frame', mac: request.mac, address: request.ciaddr };
    return { kind: 'datagram', address: request.ciaddr, port: 'client' };
  }
  if (request.broadcast || reply.yiaddr === unspecified) return everyone;
  return { kind: 'frame', mac: request.mac, address: reply.yiaddr };
}
