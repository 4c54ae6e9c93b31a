/**
 * What a home's LAN gets of its ranges: addresses by DHCP, names by DNS, the time by NTP. Only when the settings say which interface
 * the LAN is on: `lan: { interface: "work0" }`. `lan.dhcp`, `lan.dns` and `lan.ntp` are laid over what is worked out here; `false`
 * leaves the service out. With `lan: { wild: "wild0" }` the box's zones are made too: the LAN's interface gets its addresses
 * from here, and the firewall its rules; the policy's `zone` records say who else may talk to whom.
 */
import { z } from 'zod';
import { familyOf, ipFromNumber, ipToNumber, lastAddress, parsePrefix } from '../../appliance/lib/ip.ts';
import { parseOrRefuse, Refusal, refuse } from '../facts/refusal.ts';
import { merge } from './merge.ts';

type Section = Readonly<Record<string, unknown>>;

const overlay = z.union([z.record(z.string(), z.unknown()), z.literal(false)]).default({});
const lanSettings = z.strictObject({
  interface: z.string().regex(/^[A-Za-z0-9._-]{1,15}$/, 'expected an interface name of 1 to 15 characters'),
  zone: z.string().default('work'),
  /** The interface towards the internet. */
  wild: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,15}$/, 'expected an interface name of 1 to 15 characters')
    .optional(),
  dhcp: overlay,
  dns: overlay,
  ntp: overlay,
});
type LanSettings = z.output<typeof lanSettings>;

export interface DnsZoneFacts {
  readonly name: string;
  readonly primaries: readonly string[];
  /** Of its transfers (RFC 8945). */
  readonly key?: { readonly name: string; readonly secret: string };
  /** It is a catalog of zones at or below these (RFC 9432). */
  readonly within?: readonly string[];
}

export interface LanFacts {
  readonly ranges: readonly string[];
  /** The networks behind the portal. */
  readonly corporate: readonly string[];
  readonly dnsZones: readonly DnsZoneFacts[];
  /** The policy's zones, and what each may start a conversation with; `internet` is the wild side. */
  readonly zones: readonly { readonly name: string; readonly reaches: readonly string[] }[];
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

/** Sections `dhcp`, `dns`, `ntp`, `zones` and `policy` of the configuration. @throws {Refusal} naming a field below `lan`. */
export function lanSections(given: unknown, facts: LanFacts): Section {
  if (given === undefined) return {};
  const lan = below('lan', () => parseOrRefuse(lanSettings, given));
  const [range] = mainRanges(facts.ranges).filter((one) => familyOf(one) === 4);
  const dhcp =
    lan.dhcp === false || !range ? {} : { dhcp: { networks: [merge(dhcpNetwork(range, lan, facts), lan.dhcp)] } };
  return {
    ...dhcp,
    ...(lan.dns === false ? {} : { dns: merge(dnsSection(facts), lan.dns) }),
    ...(lan.ntp === false ? {} : { ntp: merge(ntpSection(lan, facts), lan.ntp) }),
    ...(lan.wild === undefined ? {} : zoneSections(lan, lan.wild, facts)),
  };
}

function ntpSection({ interface: name }: LanSettings, { ranges }: LanFacts): Section {
  return { listen: mainRanges(ranges).map(ownAddress), interface: name, clients: ranges };
}

function zoneSections(lan: LanSettings, wild: string, { ranges, zones }: LanFacts): Section {
  const addresses = ranges.map((range) => `${ownAddress(range)}/${parsePrefix(range).length}`);
  const known = new Set(['wild', lan.zone]);
  const reached = zones.flatMap(({ name, reaches }) =>
    reaches.map((to) => ({ from: name, to: to === 'internet' ? 'wild' : to })),
  );
  return {
    zones: [
      { name: 'wild', kind: 'wild', interface: wild },
      { name: lan.zone, kind: 'work', interface: lan.interface, addressing: 'static', addresses },
    ],
    // The tunnel is what a zone of this kind reaches anyway; zones that this box has no port for are of no concern to it.
    policy: reached.filter(({ from, to }) => from !== to && known.has(from) && known.has(to)),
  };
}

function below<T>(section: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.problems.map(({ field, message }) => ({ field: `${section}.${field}`, message })));
  }
}

function dhcpNetwork(range: string, lan: LanSettings, facts: LanFacts): Section {
  const address = ownAddress(range);
  const { length } = parsePrefix(range);
  // A range without room for a client is still a LAN of fixed addresses.
  const last = ipToNumber(lastAddress(parsePrefix(range))) - 1n;
  const first = ipToNumber(address) + 1n;
  const ranges = length <= 30 ? [{ first: ipFromNumber(first, 4), last: ipFromNumber(last, 4) }] : [];
  const services = {
    ...(lan.dns === false ? {} : { dns: [address] }),
    ...(lan.ntp === false ? {} : { ntp: [address] }),
  };
  return { zone: lan.zone, interface: lan.interface, address, prefix: range, ranges, ...services, ...ipv6(facts) };
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
    ...dnsKeys(dnsZones),
    zones: dnsZones.map(({ name, primaries, key, within }) => {
      // So that a transfer takes the way through the tunnel.
      const source = sourceFor(primaries[0] ?? '');
      const signed = key ? { key: key.name } : {};
      return {
        name,
        primaries: primaries.map((address) => ({ address, ...signed })),
        ...(source ? { source } : {}),
        ...(within ? { catalog: { within } } : {}),
      };
    }),
  };
}

/** Zones may share a key. @throws {Refusal} when one name stands for two. */
function dnsKeys(zones: readonly DnsZoneFacts[]): Section {
  const secrets = new Map<string, string>();
  for (const { name, key } of zones) {
    if (!key) continue;
    const known = secrets.get(key.name) ?? key.secret;
    if (known !== key.secret) refuse('tsigKey', `dns-zone ${name} has another secret for the key '${key.name}'`);
    secrets.set(key.name, key.secret);
  }
  return secrets.size === 0 ? {} : { keys: [...secrets].map(([name, secret]) => ({ name, secret })) };
}
