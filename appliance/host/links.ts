/** What the kernel says about interfaces, addresses and routers. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { canonicalIp, prefixOf } from '../lib/ip.ts';
import type { Link, LinkAddress } from './interfaces.ts';

const run = promisify(execFile);

interface IpAddress {
  readonly local?: string;
  readonly prefixlen?: number;
  readonly scope?: string;
}

interface IpLink {
  readonly ifname: string;
  readonly address?: string;
  readonly link_type?: string;
  readonly flags?: readonly string[];
  readonly mtu?: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly IpAddress[];
}

export async function readLinks(): Promise<Link[]> {
  const { stdout } = await run('ip', ['-j', '-d', 'address', 'show'], { maxBuffer: 16e6 });
  return parseLinks(stdout);
}

/** The ways out, such as `192.0.2.1 wan`, of both families. */
export async function readRouters(): Promise<string[]> {
  const shown = await Promise.all(['-4', '-6'].map((family) => run('ip', [family, '-j', 'route', 'show', 'default'])));
  return shown
    .flatMap(({ stdout }) => JSON.parse(stdout || '[]') as { gateway?: string; dev?: string }[])
    .map(({ gateway, dev }) => `${gateway ?? 'link'} ${dev ?? ''}`)
    .sort();
}

/** The output of `ip -j -d address show`. */
function parseLinks(text: string): Link[] {
  return (JSON.parse(text) as IpLink[]).filter(({ ifname }) => ifname !== undefined).map(linkOf);
}

function linkOf({ ifname, address, link_type, flags = [], mtu = 0, linkinfo, addr_info = [] }: IpLink): Link {
  const kind = linkinfo?.info_kind;
  return {
    name: ifname,
    mac: address ?? '',
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    ethernet: link_type === 'ether',
    // A pair of virtual cables stands for a port in a world without hardware.
    made: kind !== undefined && kind !== 'veth',
    mtu,
    addresses: addr_info.flatMap(addressOf),
  };
}

function addressOf({ local, prefixlen, scope }: IpAddress): LinkAddress[] {
  if (local === undefined || prefixlen === undefined) return [];
  const address = canonicalIp(local);
  const known = scope === 'global' || scope === 'link' || scope === 'host' ? scope : 'other';
  return [{ address, network: prefixOf(address, prefixlen), scope: known }];
}
