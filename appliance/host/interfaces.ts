/** Which interface is which zone's. Pure: `readLinks` of `links.ts` says what the machine has. */
import type { Zone } from '../config/zones.ts';
import type { Prefix } from '../lib/ip.ts';

export interface Link {
  readonly name: string;
  readonly mac: string;
  /** Administratively up. */
  readonly up: boolean;
  /** A cable with something at its other end. */
  readonly carrier: boolean;
  readonly ethernet: boolean;
  /** Made by software: a VLAN, a bridge, a tunnel. */
  readonly made: boolean;
  readonly mtu: number;
  readonly addresses: readonly LinkAddress[];
}

export interface LinkAddress {
  readonly address: string;
  readonly network: Prefix;
  readonly scope: 'global' | 'link' | 'host' | 'other';
}

export interface Placement {
  /** The interface of each zone, by the zone's name. */
  readonly devices: ReadonlyMap<string, string>;
  /** The interface below a VLAN's, by the zone's name. */
  readonly parents: ReadonlyMap<string, string>;
  /** The interface that PPPoE runs over, by the zone's name: a port, or a VLAN of one. */
  readonly lines: ReadonlyMap<string, string>;
  /** Sentences about zones whose interface is not there. */
  readonly problems: readonly string[];
}

/** A name is a name whether or not it is there: its rules wait for it. */
export function placeZones(zones: readonly Zone[], links: readonly Link[]): Placement {
  const devices = new Map<string, string>();
  const parents = new Map<string, string>();
  const lines = new Map<string, string>();
  const problems: string[] = [];
  const there = new Set(links.map(({ name }) => name));
  for (const zone of zones) {
    const port = portOf(zone, links);
    if (port === undefined || !there.has(port)) problems.push(absent(zone));
    if (port === undefined) continue;
    const line = zone.vlan === undefined ? port : vlanName(port, zone.vlan);
    devices.set(zone.name, zone.pppoe ? pppName(zone.name) : line);
    if (zone.pppoe) lines.set(zone.name, line);
    if (zone.vlan !== undefined) parents.set(zone.name, port);
  }
  return { devices, parents, lines, problems };
}

/** Linux IFNAMSIZ: 15 characters. */
export function vlanName(port: string, vlan: number): string {
  return `${port.slice(0, 14 - `${vlan}`.length)}.${vlan}`;
}

/** pppd makes it when the provider has answered. */
function pppName(zone: string): string {
  return `ppp-${zone}`.slice(0, 15);
}

function portOf(zone: Zone, links: readonly Link[]): string | undefined {
  if (zone.interface !== undefined) return zone.interface;
  const ports = links.filter(({ ethernet, made }) => ethernet && !made);
  if (zone.mac !== undefined) return ports.find(({ mac }) => mac === zone.mac)?.name;
  const inOrder = ports.map(({ name }) => name).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return inOrder[(zone.port ?? 0) - 1];
}

function absent({ name, interface: device, mac, port }: Zone): string {
  const wanted = device ?? mac ?? `Ethernet port ${port}`;
  return `The zone ${name} has no interface: there is no ${wanted} in this box.`;
}
