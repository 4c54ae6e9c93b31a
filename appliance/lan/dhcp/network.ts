import type { DhcpNetwork, DhcpSlice } from '../../config/dhcp.ts';
import { concat, fromHex } from '../../lib/bytes.ts';
import { lastAddress, parsePrefix, prefixContains } from '../../lib/ip.ts';
import { ipv4Octets, ipv4ToNumber, unspecified } from './ipv4.ts';
import type { Request } from './message.ts';
import { asciiOctets, encodeName } from './names.ts';
import { option } from './numbers.ts';

export interface Reservation {
  readonly address: string;
  readonly hostname: string | undefined;
}

/** A network of the configuration with everything worked out that answers need. */
export interface Network {
  readonly zone: string;
  readonly interfaceName: string;
  readonly address: string;
  /** Clients are on the interface itself, so that addresses can be probed. */
  readonly onLink: boolean;
  readonly relays: ReadonlySet<string>;
  readonly first: number;
  readonly last: number;
  readonly ranges: readonly { readonly first: number; readonly last: number }[];
  /** Addresses of the ranges that are nobody's: our own, the router's. */
  readonly excluded: ReadonlySet<number>;
  readonly reservations: ReadonlyMap<string, Reservation>;
  readonly reservedAddresses: ReadonlySet<number>;
  readonly reservedHostnames: ReadonlySet<string>;
  /** Option values by code, sent to who asks for them; `always` to everybody. */
  readonly values: ReadonlyMap<number, Uint8Array>;
  readonly always: readonly number[];
  readonly domain: string;
  readonly mtu: number;
  readonly leaseSeconds: number;
  readonly minLeaseSeconds: number;
  readonly maxLeaseSeconds: number;
  readonly authoritative: boolean;
  readonly boot: DhcpNetwork['boot'];
}

export function networksOf(slice: DhcpSlice): Network[] {
  return slice.networks.map(networkOf);
}

function networkOf(config: DhcpNetwork): Network {
  const prefix = parsePrefix(config.prefix);
  const onLink = prefixContains(prefix, config.address);
  const router = config.router === undefined ? config.address : (config.router ?? undefined);
  return {
    zone: config.zone,
    interfaceName: config.interface,
    address: config.address,
    onLink,
    relays: new Set(config.relays),
    first: ipv4ToNumber(prefix.address),
    last: ipv4ToNumber(lastAddress(prefix)),
    ranges: config.ranges.map(({ first, last }) => ({ first: ipv4ToNumber(first), last: ipv4ToNumber(last) })),
    excluded: new Set([config.address, ...config.relays, ...(router ? [router] : [])].map(ipv4ToNumber)),
    reservations: new Map(config.reservations.map((entry) => [entry.mac ?? `id ${entry.clientId}`, reserved(entry)])),
    reservedAddresses: new Set(config.reservations.map((entry) => ipv4ToNumber(entry.address))),
    reservedHostnames: new Set(config.reservations.flatMap((entry) => entry.hostname ?? [])),
    values: optionValues(config, router, onLink),
    always: config.options.filter((entry) => entry.always).map((entry) => entry.code),
    domain: config.domain,
    mtu: config.mtu ?? 1500,
    leaseSeconds: config.leaseSeconds,
    minLeaseSeconds: config.minLeaseSeconds,
    maxLeaseSeconds: config.maxLeaseSeconds,
    authoritative: config.authoritative,
    boot: config.boot,
  };
}

function reserved(entry: DhcpNetwork['reservations'][number]): Reservation {
  return { address: entry.address, hostname: entry.hostname };
}

function addresses(list: readonly string[]): Uint8Array {
  return concat(...list.map(ipv4Octets));
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function optionValues(config: DhcpNetwork, router: string | undefined, onLink: boolean): Map<number, Uint8Array> {
  const prefix = parsePrefix(config.prefix);
  const search = config.searchDomains.length > 0 ? [config.domain, ...config.searchDomains] : [];
  const routes = classlessRoutes(config, router);
  const values = new Map<number, Uint8Array>([
    [option.subnetMask, u32(prefix.length === 0 ? 0 : (0xffffffff << (32 - prefix.length)) >>> 0)],
    [option.broadcastAddress, ipv4Octets(lastAddress(prefix))],
    [option.router, addresses(router ? [router] : [])],
    [option.domainNameServer, addresses(config.dns ?? [config.address])],
    [option.ntpServers, addresses(config.ntp ?? [config.address])],
    [option.domainName, asciiOctets(config.domain)],
    [option.domainSearch, concat(...[...new Set(search)].map(encodeName))],
    [option.classlessRoutes, routes],
    [option.microsoftClasslessRoutes, routes],
    [option.captivePortal, asciiOctets(config.captivePortal ?? '')],
    [option.tftpServerName, asciiOctets(config.boot?.serverName ?? '')],
    [option.bootFile, asciiOctets(config.boot?.file ?? '')],
  ]);
  if (config.mtu !== undefined) values.set(option.interfaceMtu, u32(config.mtu).slice(2));
  if (config.ipv6OnlySeconds !== undefined && onLink) values.set(option.ipv6OnlyPreferred, u32(config.ipv6OnlySeconds));
  for (const custom of config.options) values.set(custom.code, customValue(custom));
  // An option without a value is not sent at all.
  for (const [code, value] of values) if (value.length === 0 && !isCustom(config, code)) values.delete(code);
  return values;
}

function isCustom(config: DhcpNetwork, code: number): boolean {
  return config.options.some((custom) => custom.code === code);
}

function customValue(custom: DhcpNetwork['options'][number]): Uint8Array {
  if (custom.addresses) return addresses(custom.addresses);
  return custom.text === undefined ? fromHex(custom.hex ?? '') : asciiOctets(custom.text);
}

/** RFC 3442: prefix length, its significant octets, router. A client that reads it ignores option 3, so the default route is here too. */
function classlessRoutes(config: DhcpNetwork, router: string | undefined): Uint8Array {
  if (config.routes.length === 0) return new Uint8Array(0);
  const routes = [...config.routes, ...(router ? [{ prefix: '0.0.0.0/0', router }] : [])];
  return concat(
    ...routes.map((route) => {
      const { address, length } = parsePrefix(route.prefix);
      const significant = ipv4Octets(address).subarray(0, Math.ceil(length / 8));
      return concat(Uint8Array.of(length), significant, ipv4Octets(route.router));
    }),
  );
}

export function contains(network: Network, address: string): boolean {
  const number = ipv4ToNumber(address);
  return number >= network.first && number <= network.last;
}

export function inRanges(network: Network, address: number): boolean {
  return network.ranges.some(({ first, last }) => address >= first && address <= last);
}

/** Every address of the ranges counted from 0, so that a search can start anywhere. */
export function rangeSize(network: Network): number {
  return network.ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

export function addressAt(network: Network, index: number): number {
  let left = index;
  for (const { first, last } of network.ranges) {
    if (left <= last - first) return first + left;
    left -= last - first + 1;
  }
  throw new RangeError(`${index} is outside of the ranges of ${network.zone}`);
}

/**
 * The network that a request belongs to (RFC 2131 4.3.1), among those of the interface on which it came, so that no
 * giaddr reaches another zone. Undefined: nobody's, not to be answered.
 */
export function networkFor(request: Request, interfaceName: string, networks: readonly Network[]): Network | undefined {
  const here = networks.filter((network) => network.interfaceName === interfaceName);
  if (request.giaddr !== unspecified) {
    const link = linkOf(request);
    return here.find((network) => network.relays.has(request.giaddr) && contains(network, link));
  }
  // A client behind a relay renews straight to us (RFC 2131 4.4.5): only its address says where it is.
  const relayed = here.find((network) => !network.onLink && contains(network, request.ciaddr));
  return relayed ?? here.find((network) => network.onLink);
}

const linkSelection = 5;

/** An address of the client's link: giaddr, or what the relay says instead in option 82, sub-option 5 (RFC 3527). */
function linkOf({ giaddr, options }: Request): string {
  const list = options.get(option.relayAgentInformation) ?? new Uint8Array(0);
  for (let at = 0; at + 2 <= list.length; ) {
    const value = list.subarray(at + 2, at + 2 + (list[at + 1] ?? 0));
    if (list[at] === linkSelection) return value.length === 4 ? value.join('.') : giaddr;
    at += 2 + value.length;
  }
  return giaddr;
}
