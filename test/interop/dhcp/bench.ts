import { loadAddress, type Network, relayFar, serverAddress, until } from './network.ts';
import type { Kind, Observer, Seen } from './observe.ts';
import type { Service } from './service.ts';

export interface Bench {
  readonly network: Network;
  readonly service: Service;
  readonly lan: Observer;
  readonly wild: Observer;
  readonly directory: string;
}

/** Leases of 24 s: renewed after 12, rebound after 21. */
const leaseSeconds = 24;

export const near = {
  zone: 'work',
  interface: 'lan0',
  address: serverAddress,
  prefix: '10.66.0.0/16',
  relays: [loadAddress],
  ranges: [{ first: '10.66.16.0', last: '10.66.200.255' }],
  ...{ leaseSeconds, minLeaseSeconds: leaseSeconds, mtu: 1400, searchDomains: ['corp.example'] },
  routes: [{ prefix: '172.20.0.0/14', router: serverAddress }],
  ipv6: {
    ...{ prefixes: [{ prefix: 'fd66::/64' }], delegated: true, dns: ['fd66::1'], ntp: ['fd66::1'] },
    ...{ defaultRouter: true, mtu: 1400 },
  },
};

export const behindRelay = {
  zone: 'far',
  interface: 'lan0',
  address: serverAddress,
  prefix: '10.67.0.0/24',
  ...{ relays: [relayFar], router: relayFar, leaseSeconds, minLeaseSeconds: leaseSeconds },
  ranges: [{ first: '10.67.0.100', last: '10.67.0.200' }],
};

export const slice = { networks: [near, behindRelay] };
/** For the load: leases that outlive the test. */
export const longSlice = { networks: [{ ...near, leaseSeconds: 3600 }, behindRelay] };

const latest = (list: readonly Seen[]) => list.at(-1);

/** Waits until the client did `kind` after `since` and was acknowledged for it; the address. */
export async function acknowledged(bench: Bench, mac: string, kinds: readonly Kind[], since: number): Promise<string> {
  let address = '';
  await until(`${kinds.join(' or ')} of ${mac}, acknowledged`, 40, () => {
    const own = bench.lan.dhcp().filter((seen) => seen.mac === mac && seen.at >= since);
    const asked = own.find(({ kind }) => kinds.includes(kind));
    const ack = asked && latest(own.filter(({ kind, at }) => kind === 'ack' && at >= asked.at));
    address = ack?.address ?? '';
    return ack !== undefined;
  });
  return address;
}
