import { z } from 'zod';
import { ipToNumber, lastAddress, parsePrefix, prefixContains } from '../lib/ip.ts';
import { addressOf, interfaceName, networkTextOf } from './fields.ts';
import { ConfigError, problemsOf } from './problems.ts';

/** Addresses that all ranges of one network may span together; the lease table is bounded by it. */
const maxRangeAddresses = 65_536;

const [ipv4, ipv6] = [addressOf(4), addressOf(6)];
const [ipv4Prefix, ipv6Prefix] = [networkTextOf(4), networkTextOf(6)];
const domainName = z
  .string()
  .max(253)
  .regex(/^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, 'is not a domain name')
  .transform((text) => text.toLowerCase());
const hostname = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, 'is not a host name')
  .transform((text) => text.toLowerCase());
const mac = z
  .string()
  .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'is not a MAC address (00:11:22:33:44:55)')
  .transform((text) => text.toLowerCase());
const hexOctets = z
  .string()
  .regex(/^([0-9a-f]{2})*$/i, 'is not an even number of hexadecimal digits')
  .transform((text) => text.toLowerCase());
const seconds = z.number().int().min(10).max(0xfffffffe);

/** RFC 2132 9, RFC 3046, RFC 6842, ...: what the server itself says in these options cannot be configured away. */
const ownOptions = new Set([0, 1, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 81, 82, 255]);

const customOption = z
  .strictObject({
    code: z
      .number()
      .int()
      .min(1)
      .max(254)
      .refine((code) => !ownOptions.has(code), 'is an option that the server itself sets'),
    /** Exactly one of these is the value. `text` is sent as UTF-8. */
    hex: hexOctets.optional(),
    text: z.string().min(1).max(1024).optional(),
    addresses: z.array(ipv4).min(1).max(64).optional(),
    /** Sent to clients that did not ask for it too. */
    always: z.boolean().default(false),
  })
  .refine(
    (option) => [option.hex, option.text, option.addresses].filter((value) => value !== undefined).length === 1,
    'needs exactly one of hex, text and addresses',
  );

const reservation = z
  .strictObject({
    mac: mac.optional(),
    /** Octets of option 61, type octet included. */
    clientId: hexOctets.optional(),
    address: ipv4,
    hostname: hostname.optional(),
  })
  .refine(
    (entry) => (entry.mac === undefined) !== (entry.clientId === undefined),
    'needs a mac or a clientId, not both',
  );

const advertisedPrefix = z
  .strictObject({
    prefix: ipv6Prefix,
    validSeconds: z.number().int().min(60).max(0xffffffff).default(86_400),
    preferredSeconds: z.number().int().min(0).max(0xffffffff).default(14_400),
    onLink: z.boolean().default(true),
    /** Hosts make their own addresses of it (RFC 4862); then its length must be 64. */
    autonomous: z.boolean().default(true),
  })
  .refine((entry) => entry.preferredSeconds <= entry.validSeconds, 'is preferred for longer than it is valid')
  .refine((entry) => !entry.autonomous || entry.prefix.endsWith('/64'), 'is autonomous, so its length must be 64');

const ipv6Network = z.strictObject({
  prefixes: z.array(advertisedPrefix).max(8).default([]),
  /** Advertise too whatever /64 the interface has a global address in, such as one that the provider delegated. */
  delegated: z.boolean().default(false),
  /** Hosts send everything without a closer route through us. */
  defaultRouter: z.boolean().default(false),
  /** More specific routes (RFC 4191), such as the corporate networks behind the tunnel. */
  routes: z.array(ipv6Prefix).max(16).default([]),
  dns: z.array(ipv6).max(4).default([]),
  ntp: z.array(ipv6).max(4).default([]),
  mtu: z.number().int().min(1280).max(65_535).optional(),
  /** Longest time between unsolicited advertisements (RFC 4861 6.2.1: 4 to 1800). */
  intervalSeconds: z.number().int().min(4).max(1800).default(600),
});

const networkFields = z.strictObject({
  zone: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'is not a zone name'),
  interface: interfaceName,
  /** Our own address on the interface; the server identifier of every answer. */
  address: ipv4,
  /** The clients' network. When `address` is outside of it, clients are reached through `relays`. */
  prefix: ipv4Prefix,
  /** Addresses (giaddr) of the relay agents that are believed; requests of others are dropped. */
  relays: z.array(ipv4).max(16).default([]),
  ranges: z
    .array(z.strictObject({ first: ipv4, last: ipv4 }))
    .max(16)
    .default([]),
  /** null: no default route. Default: our own address; a relayed network must say. */
  router: ipv4.nullable().optional(),
  dns: z.array(ipv4).max(8).optional(),
  ntp: z.array(ipv4).max(8).optional(),
  domain: domainName.default('home.arpa'),
  searchDomains: z.array(domainName).max(16).default([]),
  mtu: z.number().int().min(576).max(65_535).optional(),
  /** Classless static routes (option 121); the default route is added, RFC 3442 wants it there. */
  routes: z
    .array(z.strictObject({ prefix: ipv4Prefix, router: ipv4 }))
    .max(64)
    .default([]),
  captivePortal: z.url().max(255).optional(),
  /** Option 108 (RFC 8925), for networks with NAT64. */
  ipv6OnlySeconds: z.number().int().min(300).max(0xffffffff).optional(),
  leaseSeconds: seconds.default(86_400),
  minLeaseSeconds: seconds.default(120),
  maxLeaseSeconds: seconds.default(604_800),
  /** We are the only server here: requests that do not fit are refused at once (NAK), never met with silence. */
  authoritative: z.boolean().default(true),
  boot: z
    .strictObject({
      nextServer: ipv4.optional(),
      serverName: z.string().min(1).max(63).optional(),
      file: z.string().min(1).max(127),
    })
    .optional(),
  options: z.array(customOption).max(64).default([]),
  reservations: z.array(reservation).max(1024).default([]),
  ipv6: ipv6Network.optional(),
});

type NetworkFields = z.output<typeof networkFields>;

/** Reports to zod what no single field shows. `path` names the offending field. */
type Report = (path: (string | number)[], message: string) => void;

function checkRanges(network: NetworkFields, report: Report): void {
  let total = 0n;
  const taken: { first: bigint; last: bigint }[] = [];
  for (const [i, range] of network.ranges.entries()) {
    const [first, last] = [ipToNumber(range.first), ipToNumber(range.last)];
    if (first > last) report(['ranges', i], 'ends before it starts');
    if (!hostOf(network.prefix, range.first) || !hostOf(network.prefix, range.last)) {
      report(['ranges', i], 'leaves the hosts of the network');
    }
    if (taken.some((other) => first <= other.last && other.first <= last))
      report(['ranges', i], 'overlaps another range');
    taken.push({ first, last });
    total += last - first + 1n;
  }
  if (total > BigInt(maxRangeAddresses)) report(['ranges'], `span more than ${maxRangeAddresses} addresses`);
}

/** Neither the network's own nor its broadcast address, where it has those (RFC 3021: /31 has none). */
function hostOf(network: string, address: string): boolean {
  const prefix = parsePrefix(network);
  if (!prefixContains(prefix, address)) return false;
  return prefix.length >= 31 || (address !== prefix.address && address !== lastAddress(prefix));
}

function checkReservations(network: NetworkFields, report: Report): void {
  const seen = new Set<string>();
  for (const [i, entry] of network.reservations.entries()) {
    if (!hostOf(network.prefix, entry.address)) report(['reservations', i, 'address'], 'is no host of the network');
    if (entry.address === network.address) report(['reservations', i, 'address'], 'is our own address');
    for (const key of [entry.address, entry.mac ?? `id ${entry.clientId}`]) {
      if (seen.has(key)) report(['reservations', i], `'${key}' is reserved twice`);
      seen.add(key);
    }
  }
}

function checkNetwork(network: NetworkFields, report: Report): void {
  const onLink = isOnLink(network);
  if (!onLink && network.relays.length === 0) report(['address'], 'is outside of the network, and there are no relays');
  if (!onLink && network.router === undefined) report(['router'], 'must be given for a network behind a relay');
  if (!onLink && network.ipv6) report(['ipv6'], 'needs a network without a relay between');
  if (network.router && !prefixContains(parsePrefix(network.prefix), network.router))
    report(['router'], 'is outside of the network');
  const { minLeaseSeconds, leaseSeconds, maxLeaseSeconds } = network;
  if (minLeaseSeconds > leaseSeconds || leaseSeconds > maxLeaseSeconds) {
    report(['leaseSeconds'], 'is not between minLeaseSeconds and maxLeaseSeconds');
  }
  checkRanges(network, report);
  checkReservations(network, report);
}

/** Whether the clients are on the interface itself, not behind a relay. */
function isOnLink(network: { readonly prefix: string; readonly address: string }): boolean {
  return prefixContains(parsePrefix(network.prefix), network.address);
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [parsePrefix(one), parsePrefix(other)];
  return prefixContains(a, b.address) || prefixContains(b, a.address);
}

function checkTogether(networks: readonly NetworkFields[], report: Report): void {
  for (const [i, network] of networks.entries()) {
    const before = networks.slice(0, i);
    if (before.some((other) => other.zone === network.zone)) report(['networks', i, 'zone'], 'has two networks');
    if (before.some((other) => overlap(other.prefix, network.prefix))) {
      report(['networks', i, 'prefix'], 'overlaps another network');
    }
    const sameLink = before.filter((other) => other.interface === network.interface);
    if (sameLink.some((other) => other.address !== network.address)) {
      report(['networks', i, 'address'], `'${network.interface}' already has another server address`);
    }
    if (isOnLink(network) && sameLink.some(isOnLink)) {
      report(['networks', i, 'interface'], 'already has a network of its own');
    }
  }
}

/**
 * What the DHCP service needs to know: one network per zone; a network behind a relay is one of its own.
 * What it puts out, it takes in again unchanged: the supervisor parses, and so does the service.
 */
export const dhcpSlice = z
  .strictObject({
    networks: z.array(networkFields).max(16),
    /** Milliseconds that an address is probed (ARP) before it is offered; 0 = do not probe. */
    probeMilliseconds: z.number().int().min(0).max(500).default(400),
    /** Time during which an address that a client declined, or that answered a probe, is given to nobody. */
    quarantineSeconds: z.number().int().min(10).max(86_400).default(3600),
  })
  .superRefine((slice, context) => {
    const report: Report = (path, message) => context.addIssue({ code: 'custom', path, message });
    for (const [i, network] of slice.networks.entries()) {
      checkNetwork(network, (path, message) => report(['networks', i, ...path], message));
    }
    checkTogether(slice.networks, report);
  });

export type DhcpSlice = z.output<typeof dhcpSlice>;
export type DhcpNetwork = DhcpSlice['networks'][number];

/** @throws {ConfigError} one line per wrong field: `networks[0].ranges[0]: ends before it starts`. */
export function parseDhcpSlice(input: unknown): DhcpSlice {
  const parsed = dhcpSlice.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new ConfigError(problemsOf(parsed.error, input));
}
