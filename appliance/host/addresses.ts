/** Addresses and routers of the zones that the box itself addresses: what to change, as lines for `ip -batch`. Pure. */
import type { Zone } from '../config/zones.ts';
import { familyOf } from '../lib/ip.ts';
import type { Link, Placement } from './interfaces.ts';

/** Marks our default routes in the kernel; the tunnel's have another number. */
const hostRouteProtocol = 98;

/** Applied twice it changes nothing; applied to an interface that is not there it is nothing. */
export function addressCommands(zones: readonly Zone[], placement: Placement, links: readonly Link[]): string[] {
  return zones.flatMap((zone) => {
    const device = placement.devices.get(zone.name);
    const parent = placement.parents.get(zone.name);
    if (device === undefined) return [];
    const line = placement.lines.get(zone.name);
    return [
      ...vlanCommands(zone, line ?? device, parent, links),
      // What PPPoE runs over is up and has no address.
      ...(line === undefined ? ownCommands(zone, device, links) : [`link set ${line} up`]),
    ];
  });
}

function vlanCommands(zone: Zone, device: string, parent: string | undefined, links: readonly Link[]): string[] {
  const port = links.find(({ name }) => name === parent);
  if (!port || links.some(({ name }) => name === device)) return [];
  return [`link set ${port.name} up`, `link add link ${port.name} name ${device} type vlan id ${zone.vlan}`];
}

function ownCommands(zone: Zone, device: string, links: readonly Link[]): string[] {
  if (zone.addressing !== 'static') return [];
  const link = links.find(({ name }) => name === device);
  // A VLAN made by the same batch is not among the links yet.
  if (!link && zone.vlan === undefined) return [];
  const wanted = zone.addresses.map(({ address, network }) => `${address}/${network.length}`);
  const present = (link?.addresses ?? [])
    .filter(({ scope }) => scope === 'global')
    .map(({ address, network }) => `${address}/${network.length}`);
  return [
    ...(link?.up ? [] : [`link set ${device} up`]),
    ...wanted.filter((each) => !present.includes(each)).map((each) => `address add ${each} dev ${device}`),
    ...present.filter((each) => !wanted.includes(each)).map((each) => `address del ${each} dev ${device}`),
    ...zone.gateways.map((gateway) => {
      const everything = familyOf(gateway) === 4 ? '0.0.0.0/0' : '::/0';
      return `route replace ${everything} via ${gateway} dev ${device} proto ${hostRouteProtocol}`;
    }),
  ];
}

/** Settings below /proc/sys/net. We forward, and still learn our wild side's router from its advertisements (accept_ra 2). */
export function sysctlsFor(zones: readonly Zone[], placement: Placement): Readonly<Record<string, string>> {
  const settings = zones.flatMap((zone): [string, string][] => {
    const device = placement.devices.get(zone.name);
    if (device === undefined) return [];
    const inside = zone.kind !== 'wild';
    return [
      [`ipv6/conf/${device}/accept_ra`, inside ? '0' : '2'],
      [`ipv4/conf/${device}/send_redirects`, '0'],
      [`ipv4/conf/${device}/accept_redirects`, '0'],
      [`ipv6/conf/${device}/accept_redirects`, '0'],
      // One zone's address is not answered for in another (the kernel's default is to answer everywhere).
      [`ipv4/conf/${device}/arp_ignore`, '1'],
    ];
  });
  return Object.fromEntries(settings);
}
