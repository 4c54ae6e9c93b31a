import type { DnsConfig } from '../../config/dns.ts';
import { parsePrefix } from '../../lib/ip.ts';
import type { AssignedResolver } from '../../lib/messages.ts';
import { Secret } from '../../lib/secret.ts';
import type { Route } from './forward/state.ts';
import { type LeaseName, lanZones } from './local/lan-names.ts';
import { specialZones } from './local/special.ts';
import { type Status, whyZone } from './local/why.ts';
import type { Served, Tables } from './resolve.ts';
import type { Primary, SecondaryConfig } from './secondary/secondary.ts';
import { type Name, nameFromText, root } from './wire/name.ts';
import type { TsigKey } from './wire/tsig.ts';
import type { Zone } from './zone/zone.ts';

export type ZoneConfig = DnsConfig['zones'][number];

/** What the machine of a zone needs, its keys resolved. `origin`: of a member of the catalog that `zone` is; else its own name. */
export function secondaryConfig(zone: ZoneConfig, keys: DnsConfig['keys'], origin?: Name): SecondaryConfig {
  const keyOf = (wanted: string | undefined): TsigKey | undefined => {
    const key = keys.find(({ name }) => name === wanted);
    if (!key) return undefined;
    return { name: nameFromText(key.name), secret: new Secret(Uint8Array.from(Buffer.from(key.secret, 'base64'))) };
  };
  const primaries = zone.primaries.map(({ address, port, key }): Primary => ({ address, port, key: keyOf(key) }));
  return { origin: origin ?? nameFromText(zone.name), primaries };
}

const dnsPort = 53;
const mostServers = 8;
const mostAssigned = 256;

/** Those of the configuration, and those that companies have given for domains that it does not speak of. */
export function routesOf(config: DnsConfig, assigned: readonly AssignedResolver[] = []): Map<Name, Route> {
  const given = assigned.flatMap(({ domains, servers }) => domains.flatMap((domain) => assignedRoute(domain, servers)));
  const own = config.forward.map(({ domain, servers, source, via }): Route => {
    return { domain: nameFromText(domain), servers: servers.map((server) => ({ ...server, source })), via };
  });
  return new Map([...given.slice(0, mostAssigned), ...own].map((route) => [route.domain, route]));
}

/** A company may not take the whole world's names. */
function assignedRoute(domain: string, servers: readonly string[]): Route[] {
  const name = nameFromText(domain);
  const ends = servers.slice(0, mostServers).map((address) => ({ address, port: dnsPort, source: undefined }));
  return name === root || ends.length === 0 ? [] : [{ domain: name, servers: ends, via: 'tunnel' }];
}

export interface TableSources {
  readonly config: DnsConfig;
  readonly routes: ReadonlyMap<Name, Route>;
  readonly secondaries: ReadonlyMap<Name, Served>;
  readonly leases: readonly LeaseName[];
  readonly status: Status;
}

const special = specialZones();

/**
 * Who answers which names. Of zones for the same name, a secondary comes before LAN names, and those before special
 * names; a route takes the place of special names (a company may well use 10.in-addr.arpa), never of LAN names.
 */
export function tablesOf({ config, routes, secondaries, leases, status }: TableSources): Tables {
  const lanDomain = nameFromText(config.domain);
  const reverse = config.reverse.map(parsePrefix);
  const lan = lanZones({ domain: lanDomain, reverse, hosts: config.hosts, leases });
  const zones = new Map<Name, Served>();
  const put = (zone: Zone) => zones.set(zone.origin, { zone, stale: undefined });
  for (const zone of special) if (!routes.has(zone.origin)) put(zone);
  for (const zone of lan) put(zone);
  put(whyZone(status));
  for (const [origin, served] of secondaries) zones.set(origin, served);
  return { zones, routes, lanDomain };
}
