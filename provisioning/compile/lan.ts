/**
 * What a home's LAN gets of its ranges: addresses by DHCP, names by DNS. Only when the settings say which interface the
 * LAN is on: `lan: { interface: "lan0" }`. `lan.dhcp` and `lan.dns` are laid over what is worked out here; `false` leaves the
 * service out.
 */
import { z } from 'zod';
import { familyOf, ipFromNumber, ipToNumber, lastAddress, parsePrefix } from '../../appliance/lib/ip.ts';
import { parseOrRefuse, Refusal } from '../facts/refusal.ts';
import { merge } from './merge.ts';

type Section = Readonly<Record<string, unknown>>;

const overlay = z.union([z.record(z.string(), z.unknown()), z.literal(false)]).default({});
const lanSettings = z.strictObject({
  interface: z.string().regex(/^[A-Za-z0-9._-]{1,15}$/, 'expected an interface name of 1 to 15 characters'),
  zone: z.string().default('work'),
  dhcp: overlay,
  dns: overlay,
});

export interface LanFacts {
  readonly ranges: readonly string[];
  /** The networks behind the portal. */
  readonly corporate: readonly string[];
  readonly dnsZones: readonly { readonly name: string; readonly primaries: readonly string[] }[];
}

/** The box's own address in a range: its first host. */
export function ownAddress(range: string): string {
  const { address, length } = parsePrefix(range);
  const family = familyOf(address);
  const single = length === (family === 4 ? 32 : 128);
  return ipFromNumber(ipToNumber(address) + (single ? 0n : 1n), family);
}

/** The first range of each family that there is, IPv4 first. */
export function mainRanges(ranges: readonly string[]): string[] {
  return ([4, 6] as const).flatMap((family) => ranges.find((range) => familyOf(range) === family) ?? []);
}

/** Sections `dhcp` and `dns` of the configuration. @throws {Refusal} naming a field below `lan`. */
export function lanSections(given: unknown, facts: LanFacts): Section {
  if (given === undefined) return {};
  const lan = below('lan', () => parseOrRefuse(lanSettings, given));
  const [range] = mainRanges(facts.ranges).filter((one) => familyOf(one) === 4);
  const dhcp =
    lan.dhcp === false || !range ? {} : { dhcp: { networks: [merge(dhcpNetwork(range, lan, facts), lan.dhcp)] } };
  return { ...dhcp, ...(lan.dns === false ? {} : { dns: merge(dnsSection(facts), lan.dns) }) };
}

function below<T>(section: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.problems.map(({ field, message }) => ({ field: `${section}.${field}`, message })));
  }
}

function dhcpNetwork(range: string, lan: { interface: string; zone: string }, facts: LanFacts): Section {
  const address = ownAddress(range);
  const { length } = parsePrefix(range);
  // A range without room for a client is still a LAN of fixed addresses.
  const last = ipToNumber(lastAddress(parsePrefix(range))) - 1n;
  const first = ipToNumber(address) + 1n;
  const ranges = length <= 30 ? [{ first: ipFromNumber(first, 4), last: ipFromNumber(last, 4) }] : [];
  return { zone: lan.zone, interface: lan.interface, address, prefix: range, ranges, dns: [address], ...ipv6(facts) };
}

/** Hosts make their own addresses in a /64 (RFC 4862), and find the corporate networks through us (RFC 4191). */
function ipv6({ ranges, corporate }: LanFacts): Section {
  const prefixes = ranges.filter((range) => familyOf(range) === 6 && range.endsWith('/64'));
  const [first] = prefixes;
  if (!first) return {};
  const routes = corporate.filter((network) => familyOf(network) === 6).slice(0, 16);
  return { ipv6: { prefixes: prefixes.slice(0, 8).map((prefix) => ({ prefix })), dns: [ownAddress(first)], routes } };
}

function dnsSection({ ranges, dnsZones }: LanFacts): Section {
  const own = mainRanges(ranges).map(ownAddress);
  const sourceFor = (primary: string) => own.find((address) => familyOf(address) === familyOf(primary));
  return {
    listen: own.map((address) => ({ address })),
    clients: ranges,
    reverse: ranges.slice(0, 16),
    zones: dnsZones.map(({ name, primaries }) => {
      // So that a transfer takes the way through the tunnel.
      const source = sourceFor(primaries[0] ?? '');
      return { name, primaries: primaries.map((address) => ({ address })), ...(source ? { source } : {}) };
    }),
  };
}
