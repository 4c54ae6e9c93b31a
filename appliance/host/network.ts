/**
 * The host's side of the tunnel: forwarding, and the routes into it. The whole desired state is given each time;
 * applying it twice changes nothing, and what an earlier configuration left is taken away.
 */
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { hiddenNetworks, networksSeen } from '../config/mapping.ts';
import type { Config } from '../config/schema.ts';
import { type Family, familyOf, formatPrefix, type Prefix } from '../lib/ip.ts';
import { mapMark } from './mapping.ts';

const run = promisify(execFile);

/** Marks our routes in the kernel (`ip route show proto 97`), so that we touch no others. */
const routeProtocol = 97;
/** The table, and the preference of the rules, for peers whose network is everything. */
const tunnelTable = 7296;
/**
 * The table of a home that is asked before all others: a router on the wild side that hands out a more specific route to the
 * company, or a network of the same addresses, changes nothing for our own networks.
 */
const firstTable = 7294;
/** The table of packets to a mapped network, by their mark: the real address may be one of ours. */
const mapTable = 7293;
/** Weaker than any other route: what holds when the tunnel device is gone, so that nothing leaves in the clear. */
const lastMetric = 4_278_198_272;

export interface NetworkPlan {
  readonly device: string;
  readonly routes: readonly TunnelRoute[];
  /** Our networks whose packets look into `tunnelTable` before a default route of the host. */
  readonly ruleSources: readonly Prefix[];
  /** Our networks, whose packets look into `firstTable` before anything else; local ones are thrown back from there. */
  readonly firstSources: readonly Prefix[];
  readonly thrown: readonly Prefix[];
}

export interface TunnelRoute {
  readonly prefix: Prefix;
  readonly table: 'main' | typeof tunnelTable | typeof firstTable | typeof mapTable;
  readonly source: string | null;
}

export function networkPlan(config: Config): NetworkPlan {
  const routes = config.peers.flatMap(networksSeen).map((prefix): TunnelRoute => {
    const source = config.tunnel.sourceAddresses.find((ip) => familyOf(ip) === familyOf(prefix.address)) ?? null;
    // A default route in the main table would swallow the tunnel's own envelopes.
    return { prefix, table: prefix.length === 0 ? tunnelTable : 'main', source };
  });
  const ruleFamilies = new Set(
    routes.filter(({ table }) => table !== 'main').map(({ prefix }) => familyOf(prefix.address)),
  );
  const hidden = config.peers
    .flatMap(hiddenNetworks)
    .map((prefix): TunnelRoute => ({ prefix, table: mapTable, source: null }));
  const isHome = config.role === 'home';
  const first = routes.filter(({ table }) => isHome && table === 'main');
  const zones = config.zones.filter(({ kind }) => kind !== 'wild').flatMap(({ addresses }) => addresses);
  return {
    device: config.tunnel.interface,
    routes: [...routes, ...first.map((route): TunnelRoute => ({ ...route, table: firstTable })), ...hidden],
    ruleSources: config.tunnel.networks.filter(({ address }) => ruleFamilies.has(familyOf(address))),
    firstSources: first.length > 0 ? config.tunnel.networks : [],
    thrown: first.length > 0 ? distinct([...config.tunnel.networks, ...zones.map(({ network }) => network)]) : [],
  };
}

function distinct(prefixes: readonly Prefix[]): Prefix[] {
  return [...new Map(prefixes.map((prefix) => [formatPrefix(prefix), prefix])).values()];
}

/** @throws {Error} with the first line that `ip` refused. */
export async function applyNetwork(plan: NetworkPlan): Promise<void> {
  for (const family of [4, 6] as const) {
    const forwarding = `/proc/sys/net/${family === 4 ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding'}`;
    if (family === 6 && !existsSync('/proc/sys/net/ipv6')) continue;
    writeFileSync(forwarding, '1');
    // Additions first: what stays wanted is never absent for an instant.
    await ip(family, [
      ...wantedCommands(plan, family),
      ...(await ruleCommands(plan, family)),
      ...(await staleCommands(plan, family)),
    ]);
  }
}

/** Takes away everything that `applyNetwork` made, except forwarding. */
export async function clearNetwork(device: string): Promise<void> {
  const nothing: NetworkPlan = { device, routes: [], ruleSources: [], firstSources: [], thrown: [] };
  for (const family of [4, 6] as const) {
    if (family === 6 && !existsSync('/proc/sys/net/ipv6')) continue;
    await ip(family, [...(await ruleCommands(nothing, family)), ...(await staleCommands(nothing, family))]);
  }
}

function wantedCommands(plan: NetworkPlan, family: Family): string[] {
  const routes = plan.routes.filter(({ prefix }) => familyOf(prefix.address) === family);
  return [
    // The tunnel is a point-to-point link between routers: no neighbour discovery, no link-local address.
    ...(family === 6 ? [`link set dev ${plan.device} addrgenmode none`] : []),
    ...plan.thrown
      .filter(({ address }) => familyOf(address) === family)
      .map((prefix) => `route replace throw ${formatPrefix(prefix)} table ${firstTable} proto ${routeProtocol}`),
    ...routes.flatMap(({ prefix, table, source }) => {
      const to = `${formatPrefix(prefix)} table ${table} proto ${routeProtocol}`;
      const from = source === null ? '' : ` src ${source}`;
      return [`route replace ${to} dev ${plan.device}${from}`, `route replace unreachable ${to} metric ${lastMetric}`];
    }),
  ];
}

interface KernelRule {
  readonly priority: number;
  readonly src: string;
  readonly srclen?: number;
}

const mapRule = `pref ${mapTable} from all fwmark ${mapMark} lookup ${mapTable}`;

/** Local networks stay reachable directly: only packets that would take a default route go to the tunnel. */
async function ruleCommands(plan: NetworkPlan, family: Family): Promise<string[]> {
  const own = plan.ruleSources.filter(({ address }) => familyOf(address) === family);
  const first = plan.firstSources.filter(({ address }) => familyOf(address) === family);
  const wanted = own.map((prefix) => `pref ${tunnelTable} from ${formatPrefix(prefix)} lookup ${tunnelTable}`);
  wanted.push(...first.map((prefix) => `pref ${firstTable} from ${formatPrefix(prefix)} lookup ${firstTable}`));
  const isMapped = plan.routes.some(({ prefix, table }) => table === mapTable && familyOf(prefix.address) === family);
  if (isMapped) wanted.push(mapRule);
  if (own.length > 0) wanted.push(`pref ${tunnelTable - 1} from all lookup main suppress_prefixlength 0`);
  const { stdout } = await run('ip', [`-${family}`, '-j', 'rule', 'show']);
  const present = (JSON.parse(stdout) as KernelRule[]).flatMap(({ priority, src, srclen }) => {
    if (priority === tunnelTable - 1) return [`pref ${priority} from all lookup main suppress_prefixlength 0`];
    if (priority === mapTable) return [mapRule];
    if (priority !== tunnelTable && priority !== firstTable) return [];
    const from = fullPrefix(srclen === undefined ? src : `${src}/${srclen}`, family);
    return [`pref ${priority} from ${from} lookup ${priority}`];
  });
  return [
    ...present.filter((rule) => !wanted.includes(rule)).map((rule) => `rule del ${rule}`),
    ...wanted.filter((rule) => !present.includes(rule)).map((rule) => `rule add ${rule}`),
  ];
}

interface KernelRoute {
  readonly type?: string;
  readonly dst: string;
  readonly table?: string;
  readonly metric?: number;
}

async function staleCommands(plan: NetworkPlan, family: Family): Promise<string[]> {
  const { stdout } = await run('ip', [
    `-${family}`,
    '-j',
    'route',
    'show',
    'table',
    'all',
    'proto',
    `${routeProtocol}`,
  ]);
  const kept = new Set([
    ...plan.routes.map(({ prefix, table }) => `${formatPrefix(prefix)} ${table}`),
    ...plan.thrown.map((prefix) => `${formatPrefix(prefix)} ${firstTable}`),
  ]);
  const present = JSON.parse(stdout || '[]') as KernelRoute[];
  const stale = present.filter(({ dst, table }) => !kept.has(`${fullPrefix(dst, family)} ${table ?? 'main'}`));
  return [
    ...stale.map(
      ({ type, dst, table, metric }) =>
        `route del ${type === 'unreachable' || type === 'throw' ? `${type} ` : ''}${fullPrefix(dst, family)} table ${table ?? 'main'}${metric === undefined ? '' : ` metric ${metric}`}`,
    ),
  ];
}

/** `ip -j` shortens the default route and host routes. */
function fullPrefix(destination: string, family: Family): string {
  if (destination === 'default') return family === 4 ? '0.0.0.0/0' : '::/0';
  return destination.includes('/') ? destination : `${destination}/${family === 4 ? 32 : 128}`;
}

async function ip(family: Family, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const child = run('ip', [`-${family}`, '-batch', '-']);
  child.child.stdin?.end(`${commands.join('\n')}\n`);
  try {
    await child;
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error).trim();
    const line = Number(/Command failed -:(\d+)/.exec(said)?.[1] ?? 0);
    throw new Error(`the network could not be set: ip ${commands[line - 1] ?? ''}: ${said.split('\n')[0]}`);
  }
}
