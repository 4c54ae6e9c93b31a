import { concat, DecodeError, Reader, sameBytes, Writer } from '../../lib/bytes.ts';
import { parseIp } from '../../lib/ip.ts';
import { encodeName } from './names.ts';

// Stateless DHCPv6 (RFC 8415 6.1): type (1) transaction id (3), then options: code (2) length (2) value.

const messageType = { reply: 7, informationRequest: 11 } as const;

const option6 = {
  clientId: 1,
  serverId: 2,
  iaNa: 3,
  iaTa: 4,
  optionRequest: 6,
  dns: 23,
  domainList: 24,
  iaPd: 25,
  refreshTime: 32,
  ntpServer: 56,
} as const;

/** RFC 8415 18.4: messages of this size never come from a client that only asks for information. */
const maximumMessage = 1500;
/** RFC 8415 11.1 */
const maximumDuid = 130;

export interface Information {
  readonly dns: readonly string[];
  readonly searchDomains: readonly string[];
  readonly ntp: readonly string[];
  /** How soon clients ask again; at least 600 (RFC 8415 21.23). */
  readonly refreshSeconds: number;
}

/** The server's DUID of its hardware address, DUID-LL (RFC 8415 11.4): the same after every restart, without a file. */
export function duidOf(mac: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0, 3, 0, 1), mac);
}

type Options6 = ReadonlyMap<number, Uint8Array>;

function decodeOptions(reader: Reader): Options6 {
  const options = new Map<number, Uint8Array>();
  while (reader.remaining > 0) {
    const code = reader.u16();
    const value = reader.bytes(reader.u16());
    if (!options.has(code)) options.set(code, value);
  }
  return options;
}

/**
 * The reply to an Information-request, undefined when none is due (RFC 8415 16.12, 18.3.6).
 * @throws {DecodeError} for octets that are no DHCPv6 message.
 */
export function answerInformation(
  octets: Uint8Array,
  duid: Uint8Array,
  information: Information,
): Uint8Array | undefined {
  if (octets.length > maximumMessage) throw new DecodeError(`${octets.length} octets are no DHCPv6 message`);
  const reader = new Reader(octets);
  const type = reader.u8();
  const transaction = reader.bytes(3);
  if (type !== messageType.informationRequest) return undefined;
  const options = decodeOptions(reader);
  const server = options.get(option6.serverId);
  if (server && !sameBytes(server, duid)) return undefined;
  if ([option6.iaNa, option6.iaTa, option6.iaPd].some((code) => options.has(code))) return undefined;
  const client = options.get(option6.clientId);
  if (client && client.length > maximumDuid) throw new DecodeError(`a client identifier of ${client.length} octets`);
  const writer = new Writer().u8(messageType.reply).bytes(transaction);
  if (client) writeOption(writer, option6.clientId, client);
  writeOption(writer, option6.serverId, duid);
  writeInformation(writer, information, requestedOptions(options));
  return writer.finish();
}

function requestedOptions(options: Options6): ReadonlySet<number> | undefined {
  const asked = options.get(option6.optionRequest);
  if (!asked) return undefined;
  const reader = new Reader(asked);
  const codes = new Set<number>();
  while (reader.remaining > 0) codes.add(reader.u16());
  return codes;
}

/** Without an option request everything is sent: more than one option request cannot say. */
function writeInformation(writer: Writer, information: Information, asked: ReadonlySet<number> | undefined): void {
  const { dns, searchDomains, ntp, refreshSeconds } = information;
  const values: [number, Uint8Array][] = [
    [option6.dns, concat(...dns.map(parseIp))],
    [option6.domainList, concat(...searchDomains.map(encodeName))],
    [option6.ntpServer, concat(...ntp.map(ntpAddress))],
    [option6.refreshTime, new Writer().u32(Math.max(600, refreshSeconds)).finish()],
  ];
  for (const [code, value] of values) {
    if (value.length > 0 && (asked?.has(code) ?? true)) writeOption(writer, code, value);
  }
}

/** RFC 5908 4.1: sub-option 1 is an address. */
function ntpAddress(address: string): Uint8Array {
  return new Writer().u16(1).u16(16).bytes(parseIp(address)).finish();
}

function writeOption(writer: Writer, code: number, value: Uint8Array): void {
  writer.u16(code).u16(value.length).bytes(value);
}
