/** Which interface belongs to which zone, and which ordered pairs of zones may talk. What is not said is denied. */
import { z } from 'zod';
import { canonicalIp, familyOf, formatPrefix, type Prefix, prefixOf } from '../lib/ip.ts';
import { Secret } from '../lib/secret.ts';
import { address, interfaceName, network, parsed } from './fields.ts';
import { dnsSection } from './sections.ts';

/**
 * - `wild`: towards the internet; nothing listens there but IKE and ESP.
 * - `work`: the company's; its only way out is the tunnel.
 * - `kids`: the internet and nothing else.
 */
const zoneKinds = ['wild', 'work', 'kids'] as const;
export type ZoneKind = (typeof zoneKinds)[number];

/** What a zone may ask of the box itself. */
const listenerNames = ['dhcp', 'dns', 'ntp', 'ping', 'ssh'] as const;
export type Listener = (typeof listenerNames)[number];

const lanListeners: readonly Listener[] = ['dhcp', 'dns', 'ntp', 'ping'];

/** Our own address on a link, with the network of the link. */
export interface OwnAddress {
  readonly address: string;
  readonly network: Prefix;
}

/** @throws {TypeError} unless `text` is `address/length`. */
function parseOwnAddress(text: string): OwnAddress {
  const [address = '', length = ''] = text.split('/');
  const own = canonicalIp(address);
  if (!/^\d{1,3}$/.test(length)) throw new TypeError(`'${text}' has no length: expected such as "10.77.1.1/24"`);
  return { address: own, network: prefixOf(own, Number(length)) };
}

const zoneName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a zone name of lower-case letters, digits and dashes');

const macAddress = z
  .string()
  .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'expected a MAC address such as "00:11:22:33:44:55"')
  .transform((text) => text.toLowerCase());

/** What the provider's letter says. Text without line ends or control characters: it goes into a file of words. */
const pppoeText = z.string().regex(/^[^\p{Cc}]{1,128}$/u, 'expected 1 to 128 characters without line ends');

const pppoe = z.strictObject({
  user: pppoeText,
  password: pppoeText.transform((text) => new Secret(new TextEncoder().encode(text))),
  /** Where one line carries several services (RFC 2516 Appendix A); the only one when left out. */
  service: pppoeText.optional(),
});

function viewOf(addresses: readonly OwnAddress[], given: Record<string, unknown>, context: z.RefinementCtx) {
  const own = {
    listen: addresses.map(({ address }) => ({ address })),
    clients: addresses.map((each) => formatPrefix(each.network)),
  };
  const result = dnsSection.safeParse({ ...own, ...given });
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues) {
    context.addIssue({ code: 'custom', path: ['dns', ...path], message });
  }
  return z.NEVER;
}

const zone = z
  .strictObject({
    name: zoneName,
    kind: z.enum(zoneKinds),
    /** Exactly one of these says which port it is. */
    interface: interfaceName.optional(),
    mac: macAddress.optional(),
    /** Counted from 1 through the box's Ethernet ports in the order of their names. */
    port: z.int().min(1).max(64).optional(),
    vlan: z.int().min(1).max(4094).optional(),
    /** `kept`: the addresses are somebody else's business, such as the distribution's network configuration. */
    addressing: z.enum(['static', 'dhcp', 'pppoe', 'kept']).default('kept'),
    pppoe: pppoe.optional(),
    addresses: z.array(parsed(parseOwnAddress)).max(8).default([]),
    /** What the provider takes from us, Mbit/s: a little below it, queues are ours and stay short. */
    uplinkMbit: z.number().min(0.1).max(100_000).optional(),
    /** Routers of a wild side with static addresses, at most one of each family. */
    gateways: z.array(address).max(2).default([]),
    /** Names of the peers whose tunnels this zone uses; every peer when left out. */
    peers: z.array(z.string()).max(64).optional(),
    listeners: z.array(z.enum(listenerNames)).optional(),
    /** Names as this zone sees them, apart from all others: `listen` and `clients` are the zone's own when left out. */
    dns: z.record(z.string(), z.unknown()).optional(),
    /** What those at the other end of this zone's tunnels may ask of the box. */
    tunnelListeners: z.array(z.enum(listenerNames)).default(['ping', 'dns']),
  })
  .refine(
    (value) => [value.interface, value.mac, value.port].filter((field) => field !== undefined).length === 1,
    'expected exactly one of interface, mac and port',
  )
  .refine(
    (value) => value.addressing !== 'static' || value.addresses.length > 0,
    'addresses: static needs at least one',
  )
  .refine(
    (value) => value.kind === 'wild' || (value.addressing !== 'dhcp' && value.addressing !== 'pppoe'),
    'addressing: only a wild side can ask for its address',
  )
  .refine(
    (value) => (value.addressing === 'pppoe') === (value.pppoe !== undefined),
    'pppoe: expected with addressing "pppoe", and only with it',
  )
  .refine(
    (value) => value.kind === 'wild' || value.addresses.length > 0,
    'addresses: expected our own address in the zone, such as "10.77.1.1/24"',
  )
  .refine((value) => value.kind !== 'wild' || value.dns === undefined, 'dns: nobody on the wild side is answered')
  .transform((value, context) => ({
    ...value,
    dns: value.dns && viewOf(value.addresses, value.dns, context),
    listeners: value.listeners ?? (value.kind === 'wild' ? [] : lanListeners),
  }))
  .refine(
    // A portal that answers pings lets its boxes tell a dead portal from a way that eats UDP.
    (value) => value.kind !== 'wild' || value.listeners.every((name) => name === 'ssh' || name === 'ping'),
    'listeners: nothing but ssh and ping may be answered on the wild side',
  );

export const zonesSchema = z
  .array(zone)
  .max(16)
  .superRefine((zones, context) => {
    for (const [index, { name, addresses }] of zones.entries()) {
      const before = zones.slice(0, index);
      const report = (field: string, message: string) =>
        context.addIssue({ code: 'custom', path: [index, field], message });
      if (before.some((other) => other.name === name)) report('name', `two zones are called '${name}'`);
      if (before.some((other) => portOf(other) === portOf(zones[index] ?? other))) {
        report('interface', 'belongs to another zone already');
      }
      for (const taken of before.flatMap((other) => other.addresses)) {
        const clash = addresses.find(({ network }) => overlaps(network, taken.network));
        if (clash)
          report('addresses', `${formatPrefix(clash.network)} overlaps another zone's ${formatPrefix(taken.network)}`);
      }
    }
  });

export type Zone = z.output<typeof zone>;

/** Devices that a policy speaks of together, by where they are or what they are. */
export const groupsSchema = z
  .array(
    z.strictObject({
      name: zoneName,
      networks: z.array(network).max(256).default([]),
      macs: z.array(macAddress).max(256).default([]),
    }),
  )
  .max(64);

export type Group = z.output<typeof groupsSchema>[number];

/** One more thing that one zone may do in another; `work` to `wild` is local breakout. */
export const policySchema = z
  .array(
    z
      .strictObject({
        from: zoneName,
        to: zoneName,
        /** Where in the zone; everywhere when left out. */
        destinations: z.array(network).min(1).max(256).optional(),
        /** Who; every host of the zone when left out. */
        sources: z.array(network).min(1).max(256).optional(),
        /** Names of groups whose devices may; beside `sources`, either will do. */
        groups: z.array(z.string()).min(1).max(64).optional(),
        protocol: z.enum(['tcp', 'udp', 'icmp', 'any']).default('any'),
        ports: z.array(z.int().min(1).max(65_535)).min(1).max(64).optional(),
      })
      .refine(({ from, to }) => from !== to, 'to: a zone may always talk to itself')
      .refine(
        ({ protocol, ports }) => ports === undefined || protocol === 'tcp' || protocol === 'udp',
        'ports: expected with protocol "tcp" or "udp" only',
      ),
  )
  .max(256);

export type PolicyRow = z.output<typeof policySchema>[number];

export function overlaps(a: Prefix, b: Prefix): boolean {
  if (familyOf(a.address) !== familyOf(b.address)) return false;
  const length = Math.min(a.length, b.length);
  return formatPrefix(prefixOf(a.address, length)) === formatPrefix(prefixOf(b.address, length));
}

function portOf({ interface: name, mac, port, vlan }: Zone): string {
  return `${name ?? mac ?? port}/${vlan ?? ''}`;
}

interface Names {
  readonly zones: readonly Zone[];
  readonly policy: readonly PolicyRow[];
  readonly groups: readonly Group[];
  readonly peers: readonly { readonly name: string }[];
}

/** What no section shows by itself. */
export function checkZones(config: Names, report: (path: (string | number)[], message: string) => void): void {
  const zones = new Map(config.zones.map((each) => [each.name, each]));
  const peers = new Set(config.peers.map(({ name }) => name));
  for (const [index, each] of config.zones.entries()) {
    const unknown = each.peers?.find((name) => !peers.has(name));
    if (unknown !== undefined) report(['zones', index, 'peers'], `there is no peer '${unknown}'`);
  }
  const groups = new Set(config.groups.map(({ name }) => name));
  for (const [index, { from, to, groups: named = [] }] of config.policy.entries()) {
    const missing = named.find((name) => !groups.has(name));
    if (missing !== undefined) report(['policy', index, 'groups'], `there is no group '${missing}'`);
    for (const [field, name] of Object.entries({ from, to })) {
      if (!zones.has(name)) report(['policy', index, field], `there is no zone '${name}'`);
    }
    if (zones.get(from)?.kind === 'wild') report(['policy', index, 'from'], 'nothing comes in from the wild side');
  }
}
