import { familyOf, type Prefix, parseIp, prefixContains } from '../../../lib/ip.ts';
import { child, isWithin, labelsOf, type Name, nameFromText, reverseName } from '../wire/name.ts';
import { Type } from '../wire/numbers.ts';
import type { Zone } from '../zone/zone.ts';
import { addressRecord, type OwnRecord, ownZone } from './own-zone.ts';

/** One line of the leases that the DHCP service writes; what else stands there is not ours to read. */
export interface LeaseName {
  readonly address: string;
  readonly hostname: string;
  readonly expiresAt: number;
}

export interface LanNames {
  readonly domain: Name;
  readonly reverse: readonly Prefix[];
  /** Names of the configuration: relative to the domain if they have one label. They beat any lease. */
  readonly hosts: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  readonly leases: readonly LeaseName[];
}

/** Seconds: a device that comes back under another address is found soon. */
const ttlSeconds = 60;
const maxLeases = 4096;

/** Names that a device may not give itself: programs on other devices would trust whoever has them. */
const refused = new Set(['wpad', 'isatap', 'localhost', 'why', 'gateway', 'router']);

/** The leases of a parsed `leases.json`; entries that are none are left out. */
export function parseLeases(value: unknown): LeaseName[] {
  const list = Array.isArray(value) ? value : leasesIn(value);
  return list.slice(0, maxLeases).flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { address, hostname, expiresAt } = entry as Record<string, unknown>;
    if (typeof address !== 'string' || typeof hostname !== 'string') return [];
    return [{ address, hostname, expiresAt: typeof expiresAt === 'number' ? expiresAt : 0 }];
  });
}

function leasesIn(value: unknown): unknown[] {
  const leases = typeof value === 'object' && value !== null ? (value as { leases?: unknown }).leases : undefined;
  return Array.isArray(leases) ? leases : [];
}

/** What a client calls itself, as one label that can be a host name (RFC 1123 2.1), or nothing. */
function hostLabel(hostname: string): string | undefined {
  const label = hostname.split('.')[0]?.toLowerCase() ?? '';
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label) && !refused.has(label) ? label : undefined;
}

interface Host {
  readonly name: Name;
  readonly addresses: readonly Uint8Array[];
}

/** The forward zone and the reverse zones of the LAN. Bad addresses and names of devices are left out. */
export function lanZones(lan: LanNames): Zone[] {
  const hosts = [...configuredHosts(lan), ...leasedHosts(lan)];
  const forward = hosts
    .filter(({ name }) => isWithin(name, lan.domain))
    .flatMap(({ name, addresses }) => addresses.map((octets) => addressRecord(name, octets)));
  const pointers = hosts.flatMap(({ name, addresses }) =>
    addresses.map((octets): OwnRecord => ({ owner: reverseName(octets), type: Type.PTR, rdata: name })),
  );
  const reverse = lan.reverse.flatMap(reverseOrigins).map((origin) => {
    const inside = pointers.filter(({ owner }) => isWithin(owner, origin));
    return ownZone(origin, ttlSeconds, inside);
  });
  return [ownZone(lan.domain, ttlSeconds, forward), ...reverse];
}

function configuredHosts(lan: LanNames): Host[] {
  return lan.hosts.map(({ name, addresses }) => {
    const full = nameFromText(name);
    const relative = labelsOf(full).length === 1;
    return { name: relative ? child(labelsOf(full)[0] ?? '', lan.domain) : full, addresses: addresses.map(parseIp) };
  });
}

/** Two devices with one name: the lease that runs longest has it, so the answer does not flip. */
function leasedHosts(lan: LanNames): Host[] {
  const taken = new Set(configuredHosts(lan).map(({ name }) => name));
  const sorted = lan.leases.toSorted((a, b) => b.expiresAt - a.expiresAt);
  return sorted.flatMap((lease) => {
    const label = hostLabel(lease.hostname);
    const octets = addressOf(lease.address);
    if (label === undefined || !octets || !lan.reverse.some((prefix) => prefixContains(prefix, lease.address)))
      return [];
    const name = child(label, lan.domain);
    if (taken.has(name)) return [];
    taken.add(name);
    return [{ name, addresses: [octets] }];
  });
}

function addressOf(text: string): Uint8Array | undefined {
  try {
    return parseIp(text);
  } catch {
    return undefined;
  }
}

/**
 * The zones that cover the reverse names of a network: cut at the octet (IPv4) or digit (IPv6) that follows its
 * length, or the last octet but one for networks smaller than that.
 */
export function reverseOrigins(prefix: Prefix): Name[] {
  const octets = parseIp(prefix.address);
  const unit = familyOf(prefix.address) === 4 ? 8 : 4;
  const total = (octets.length * 8) / unit;
  const units = Math.min(total - 1, Math.ceil(prefix.length / unit));
  const whole = labelsOf(reverseName(octets)).slice(total - units);
  const free = units * unit - prefix.length;
  if (free <= 0) return [nameFromText(whole.join('.'))];
  const radix = unit === 8 ? 10 : 16;
  const first = Number.parseInt(whole[0] ?? '0', radix);
  return Array.from({ length: 2 ** free }, (_, i) =>
    nameFromText([(first + i).toString(radix), ...whole.slice(1)].join('.')),
  );
}
