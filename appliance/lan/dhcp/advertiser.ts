import type { DhcpNetwork } from '../../config/dhcp.ts';
import { formatPrefix, parsePrefix, prefixOf } from '../../lib/ip.ts';
import type { PrefixInformation, RouterAdvertisement } from './ra.ts';

// Theory of operation (RFC 4861 6.2). Advertisements go to everybody at random intervals, the first three close
// together. A solicitation brings the next one forward, at most one in three seconds. A prefix that the configuration no
// longer has is advertised as deprecated for two hours (RFC 4862 5.5.3 e lets hosts keep it no longer), so that hosts
// stop using it at once instead of when its lifetime ends. On the way out the router lifetime is zero.

export interface AdvertiserState {
  readonly sent: number;
  /** Milliseconds; when the last one to everybody left, and when the next is due. */
  readonly lastAt: number;
  readonly nextAt: number;
  readonly retired: readonly Retired[];
}

interface Retired {
  readonly prefix: PrefixInformation;
  readonly until: number;
}

export type Ipv6Config = NonNullable<DhcpNetwork['ipv6']>;

const initialAdvertisements = 3;
const initialIntervalMs = 16_000;
const minimumGapMs = 3_000;
const maximumAnswerDelayMs = 500;
const retiredMs = 7_200_000;

/** `random`: 0 up to but not 1. */
export interface Chance {
  readonly now: number;
  readonly random: number;
}

/** Starts, or goes on with another configuration: that is told to everybody at once. */
export function configureAdvertiser(
  state: AdvertiserState | undefined,
  before: Ipv6Config | undefined,
  after: Ipv6Config,
  { now }: Chance,
): AdvertiserState {
  const kept = new Set(after.prefixes.map(({ prefix }) => prefix));
  const gone = (before?.prefixes ?? []).map(informationOf).map((prefix) => ({ prefix, until: now + retiredMs }));
  const retired = [...(state?.retired ?? []), ...gone].filter(
    ({ prefix, until }) => until > now && !kept.has(formatPrefix(prefix.prefix)),
  );
  return { sent: 0, lastAt: state?.lastAt ?? Number.NEGATIVE_INFINITY, nextAt: now, retired };
}

/** The state after an advertisement to everybody at `now`. */
export function advertised(state: AdvertiserState, config: Ipv6Config, { now, random }: Chance): AdvertiserState {
  const longest = config.intervalSeconds * 1000;
  // RFC 4861 6.2.1: the minimum is a third of the maximum, above 9 seconds.
  const shortest = longest >= 9_000 ? longest * 0.33 : longest;
  const interval = shortest + random * (longest - shortest);
  const sent = state.sent + 1;
  const wait = sent < initialAdvertisements ? Math.min(interval, initialIntervalMs) : interval;
  return { sent, lastAt: now, nextAt: now + wait, retired: state.retired.filter(({ until }) => until > now) };
}

/** The state after a solicitation: the answer goes to everybody, so that one answer serves many. */
export function solicited(state: AdvertiserState, { now, random }: Chance): AdvertiserState {
  const soonest = Math.max(now + random * maximumAnswerDelayMs, state.lastAt + minimumGapMs);
  return { ...state, nextAt: Math.min(state.nextAt, soonest) };
}

/** Seconds. RFC 9096 3.4: what a provider may take back without a word must not live for days. */
const delegatedLifetime = { validSeconds: 5400, preferredSeconds: 2700 } as const;
const maxDelegated = 8;

/**
 * The configuration with the prefixes that others gave the interface. `networks`: its own addresses, as `address/length`
 * in any notation. Only global ones (2000::/3) of 64 bits count: hosts make addresses in no others.
 */
export function withDelegated(config: Ipv6Config, networks: readonly string[]): Ipv6Config {
  if (!config.delegated) return config;
  const own = new Set(config.prefixes.map(({ prefix }) => prefix));
  const found = networks
    .filter((network) => /^[23][0-9a-f]{3}:.*\/64$/i.test(network))
    .map((network) => formatPrefix(prefixOf(network.split('/')[0] ?? '', 64)));
  const delegated = [...new Set(found)]
    .filter((prefix) => !own.has(prefix))
    .sort()
    .slice(0, maxDelegated)
    .map((prefix) => ({ prefix, ...delegatedLifetime, onLink: true, autonomous: true }));
  return { ...config, prefixes: [...config.prefixes, ...delegated] };
}

function informationOf(entry: Ipv6Config['prefixes'][number]): PrefixInformation {
  return { ...entry, prefix: parsePrefix(entry.prefix) };
}

export interface Speaker {
  readonly mac: Uint8Array;
  readonly domain: string;
  readonly searchDomains: readonly string[];
  readonly captivePortal: string | undefined;
}

/** What is advertised now. `leaving`: the last word of a router that stops. */
export function advertisementOf(
  state: AdvertiserState,
  config: Ipv6Config,
  speaker: Speaker,
  leaving = false,
): RouterAdvertisement {
  // RFC 8106 5.1, RFC 4861 6.2.1: three intervals, so that two lost ones change nothing; 9000 s at most.
  const lifetimeSeconds = Math.min(9000, config.intervalSeconds * 3);
  const deprecated = state.retired.map(({ prefix }) => ({
    ...prefix,
    validSeconds: retiredMs / 1000,
    preferredSeconds: 0,
  }));
  return {
    routerLifetimeSeconds: config.defaultRouter && !leaving ? lifetimeSeconds : 0,
    otherConfiguration: config.dns.length > 0 || config.ntp.length > 0,
    mac: speaker.mac,
    mtu: config.mtu,
    prefixes: [...config.prefixes.map(informationOf), ...deprecated],
    routes: config.routes.map(parsePrefix),
    dns: config.dns,
    searchDomains: config.dns.length > 0 ? [speaker.domain, ...speaker.searchDomains] : [],
    captivePortal: speaker.captivePortal,
    lifetimeSeconds: leaving ? 0 : lifetimeSeconds,
  };
}
