/** One end of a link: an interface in a host. */
export interface End {
  readonly host: string;
  readonly interface: string;
  /** `address/length`, either family. */
  readonly addresses: readonly string[];
}

export interface Link {
  readonly ends: readonly [End, End];
  /** Octets of IP, 68 to 65535. */
  readonly mtu: number;
  /** Whether the veth pretends to be a card with segmentation offload (64 KiB packets on the wire). */
  readonly offload: boolean;
}

export interface HostPlan {
  readonly name: string;
  /** As `ip route add` takes them. */
  readonly routes: readonly string[];
  readonly forwards: boolean;
  /** An nftables ruleset, empty for none. */
  readonly nftables: string;
  /** Beyond those of every host. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

export interface Topology {
  readonly hosts: readonly HostPlan[];
  readonly links: readonly Link[];
}

export interface TopologyOptions {
  /** A home router with NAT (IPv4 only) between moat and the internet. */
  readonly nat?: boolean;
  /** The internet routes the inner networks too, so that PC and corp reach each other without a tunnel. */
  readonly plainPath?: boolean;
  readonly wanMtu?: number;
  readonly lanMtu?: number;
  readonly offload?: boolean;
  /** The corporation has the three kinds of servers too, by what they do about a path that is smaller than they think. */
  readonly servers?: boolean;
  /** A second LAN behind moat, with a host `kids`. */
  readonly kids?: boolean;
  /** A second router at home, `other-router`, with an uplink of its own: moat's interface `wan2`, no route through it yet. */
  readonly secondUplink?: boolean;
  /** A second employer: `portal2` and `corp2`, whose inside has the first one's addresses, and `pc2` at a third LAN of moat. */
  readonly second?: boolean;
  /** That many more homes at the internet, `home-1` and so on: the box's host only, with an interface `lan` that leads nowhere. */
  readonly homes?: number;
}

/**
 * After the moat paper: `well-behaved` finds out by itself (RFC 4821), `naughty` only when ICMP tells it, `incorrigible` never,
 * because its own firewall eats the ICMP.
 */
export const serverKinds = ['well-behaved', 'naughty', 'incorrigible'] as const;
export type ServerKind = (typeof serverKinds)[number];

/** The world's addresses by name: the only place that knows them. */
export const addresses = {
  pc: { v4: '10.77.1.100', v6: 'fd77:1::100' },
  moatLan: { v4: '10.77.1.1', v6: 'fd77:1::1' },
  kids: { v4: '10.77.2.100', v6: 'fd77:2::100' },
  moatKids: { v4: '10.77.2.1', v6: 'fd77:2::1' },
  pc2: { v4: '10.77.3.100', v6: 'fd77:3::100' },
  moatLan2: { v4: '10.77.3.1', v6: 'fd77:3::1' },
  internetPortal2: { v4: '198.51.101.1', v6: '2001:db8:52::1' },
  portal2: { v4: '198.51.101.10', v6: '2001:db8:52::10' },
  moatHome: { v4: '192.168.178.20', v6: '2001:db8:178::20' },
  moatDirect: { v4: '203.0.113.10', v6: '2001:db8:113::10' },
  moatHome2: { v4: '192.168.179.20', v6: '2001:db8:179::20' },
  otherRouterLan: { v4: '192.168.179.1', v6: '2001:db8:179::1' },
  otherRouterWan: { v4: '203.0.114.10', v6: '2001:db8:114::10' },
  internetHome2: { v4: '203.0.114.1', v6: '2001:db8:114::1' },
  homeRouterLan: { v4: '192.168.178.1', v6: '2001:db8:178::1' },
  homeRouterWan: { v4: '203.0.113.10', v6: '2001:db8:113::10' },
  internetHome: { v4: '203.0.113.1', v6: '2001:db8:113::1' },
  internetPortal: { v4: '198.51.100.1', v6: '2001:db8:51::1' },
  portal: { v4: '198.51.100.10', v6: '2001:db8:51::10' },
  portalCorp: { v4: '10.1.0.1', v6: 'fd01:1::1' },
  corp: { v4: '10.1.0.10', v6: 'fd01:1::10' },
  'well-behaved': { v4: '10.1.1.10', v6: 'fd01:1::1:0:0:10' },
  naughty: { v4: '10.1.2.10', v6: 'fd01:1::2:0:0:10' },
  incorrigible: { v4: '10.1.3.10', v6: 'fd01:1::3:0:0:10' },
} as const;

export const networks = {
  lan: { v4: '10.77.1.0/24', v6: 'fd77:1::/64' },
  corp: { v4: '10.1.0.0/16', v6: 'fd01:1::/64' },
} as const;

type Address = { readonly v4: string; readonly v6: string };

const at = (address: Address, v4Length = 24) => [`${address.v4}/${v4Length}`, `${address.v6}/64`];
const via = (gateway: Address) => [`default via ${gateway.v4}`, `default via ${gateway.v6}`];
const networkVia = (network: Address, gateway: Address) => [
  `${network.v4} via ${gateway.v4}`,
  `${network.v6} via ${gateway.v6}`,
];

const masquerade = `table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }
}
`;

/** pc - moat - (home-router) - internet - portal - corp. */
export function topologyOf(options: TopologyOptions): Topology {
  const a = addresses;
  const wan = { mtu: options.wanMtu ?? 1500, offload: options.offload ?? true };
  const lan = { mtu: options.lanMtu ?? 1500, offload: options.offload ?? true };
  const host = (name: string, routes: string[], nftables = ''): HostPlan => ({
    name,
    routes,
    forwards: !['pc', 'pc2', 'kids', 'corp', 'corp2'].includes(name),
    nftables,
  });
  const end = (name: string, device: string, list: string[]): End => ({
    host: name,
    interface: device,
    addresses: list,
  });
  const behindRouter = networkVia({ v4: '192.168.178.0/24', v6: '2001:db8:178::/64' }, a.homeRouterWan).slice(1);
  // Behind NAT only the IPv6 LAN has addresses that the internet can know.
  const lanRoutes = networkVia(networks.lan, a.homeRouterWan).slice(options.nat ? 1 : 0);
  const inner = [...lanRoutes, ...networkVia(networks.corp, a.portal)];
  const homeSide: Link[] = options.nat
    ? [
        { ends: [end('moat', 'wan', at(a.moatHome)), end('home-router', 'lan', at(a.homeRouterLan))], ...wan },
        { ends: [end('home-router', 'wan', at(a.homeRouterWan)), end('internet', 'home', at(a.internetHome))], ...wan },
      ]
    : [{ ends: [end('moat', 'wan', at(a.moatDirect)), end('internet', 'home', at(a.internetHome))], ...wan }];
  const routerRoutes = [...via(a.internetHome), ...(options.plainPath ? networkVia(networks.lan, a.moatHome) : [])];
  const servers = options.servers ? serverKinds.map((kind, index) => serverOf(kind, index + 1, lan)) : [];
  const homes = Array.from({ length: options.homes ?? 0 }, (_, index) => homeOf(index + 1, host, wan));
  const uplink: Link[] = options.secondUplink
    ? [
        { ends: [end('moat', 'wan2', at(a.moatHome2)), end('other-router', 'lan', at(a.otherRouterLan))], ...wan },
        {
          ends: [end('other-router', 'wan', at(a.otherRouterWan)), end('internet', 'home2', at(a.internetHome2))],
          ...wan,
        },
      ]
    : [];
  const behindOther = networkVia({ v4: '192.168.179.0/24', v6: '2001:db8:179::/64' }, a.otherRouterWan).slice(1);
  const second = options.second ? secondEmployer(host, end, { wan, lan }) : { hosts: [], links: [] };
  return {
    hosts: [
      host('pc', via(a.moatLan)),
      ...(options.kids ? [host('kids', via(a.moatKids))] : []),
      host('moat', via(options.nat ? a.homeRouterLan : a.internetHome)),
      ...(options.nat ? [host('home-router', routerRoutes, masquerade)] : []),
      ...(options.secondUplink ? [host('other-router', via(a.internetHome2), masquerade)] : []),
      host('internet', [
        ...(options.nat ? behindRouter : []),
        ...(options.secondUplink ? behindOther : []),
        ...(options.plainPath ? inner : []),
      ]),
      host('portal', via(a.internetPortal)),
      host('corp', via(a.portalCorp)),
      ...servers.map((server) => server.host),
      ...second.hosts,
      ...homes.flatMap((home) => home.hosts),
    ],
    links: [
      { ends: [end('pc', 'lan', at(a.pc)), end('moat', 'lan', at(a.moatLan))], ...lan },
      ...(options.kids
        ? [{ ends: [end('kids', 'lan', at(a.kids)), end('moat', 'kids', at(a.moatKids))], ...lan } as Link]
        : []),
      ...homeSide,
      ...uplink,
      { ends: [end('internet', 'portal', at(a.internetPortal)), end('portal', 'wan', at(a.portal))], ...wan },
      { ends: [end('portal', 'corp', at(a.portalCorp, 16)), end('corp', 'lan', at(a.corp, 16))], ...lan },
      ...servers.map((server) => server.link),
      ...second.links,
      ...homes.flatMap((home) => home.links),
    ],
  };
}

type Line = Pick<Link, 'mtu' | 'offload'>;

function secondEmployer(
  host: (name: string, routes: string[]) => HostPlan,
  end: (name: string, device: string, list: string[]) => End,
  { wan, lan }: { readonly wan: Line; readonly lan: Line },
): Topology {
  const a = addresses;
  return {
    hosts: [host('pc2', via(a.moatLan2)), host('portal2', via(a.internetPortal2)), host('corp2', via(a.portalCorp))],
    links: [
      { ends: [end('pc2', 'lan', at(a.pc2)), end('moat', 'lan2', at(a.moatLan2))], ...lan },
      { ends: [end('internet', 'portal2', at(a.internetPortal2)), end('portal2', 'wan', at(a.portal2))], ...wan },
      { ends: [end('portal2', 'corp', at(a.portalCorp, 16)), end('corp2', 'lan', at(a.corp, 16))], ...lan },
    ],
  };
}

/** A home of which nothing but the box is there, at a provider that has only IPv4. */
function homeOf(number: number, host: (name: string, routes: string[]) => HostPlan, line: Line): Topology {
  const name = `home-${number}`;
  const [gateway, address] = [1, 2].map((last) => `100.64.${number >> 6}.${(number & 63) * 4 + last}`);
  const end = (at: string, device: string, addresses: readonly string[]): End => ({
    host: at,
    interface: device,
    addresses,
  });
  return {
    hosts: [host(name, [`default via ${gateway}`])],
    links: [
      { ends: [end(name, 'wan', [`${address}/30`]), end('internet', name, [`${gateway}/30`])], ...line },
      { ends: [end(name, 'lan', []), end(name, 'nowhere', [])], ...line },
    ],
  };
}

const eatsTooBig = `table inet firewall {
  chain input {
    type filter hook input priority 0;
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
`;

/** A server on a link of its own, inside the corporation's networks. */
function serverOf(
  kind: ServerKind,
  number: number,
  link: { mtu: number; offload: boolean },
): { host: HostPlan; link: Link } {
  const gateway = { v4: `10.1.${number}.1`, v6: `fd01:1::${number}:0:0:1` };
  const place = ({ v4, v6 }: Address) => [`${v4}/24`, `${v6}/80`];
  return {
    host: {
      name: kind,
      routes: via(gateway),
      forwards: false,
      nftables: kind === 'incorrigible' ? eatsTooBig : '',
      sysctls: kind === 'well-behaved' ? { 'ipv4/tcp_mtu_probing': '1' } : {},
    },
    link: {
      ends: [
        { host: 'portal', interface: `server${number}`, addresses: place(gateway) },
        { host: kind, interface: 'lan', addresses: place(addresses[kind]) },
      ],
      ...link,
    },
  };
}

/**
 * Lines for one `ip -batch` in the machine's own namespace: the links, each end born where it belongs. The numbers
 * differ because the kernel takes its time (up to a second) to notice the carrier of a veth whose peer has its index.
 */
export function linkCommands(topology: Topology, namespaceOf: (host: string) => string): string[] {
  return topology.links.map(({ ends: [a, b], mtu }, index) => {
    const place = (end: End, number: number) =>
      `name ${end.interface} index ${number} mtu ${mtu} netns ${namespaceOf(end.host)}`;
    return `link add ${place(a, 2 * index + 10)} type veth peer ${place(b, 2 * index + 11)}`;
  });
}

/** Lines for one `ip -batch` inside a host. */
export function hostCommands(topology: Topology, host: HostPlan): string[] {
  const ends = topology.links.flatMap((link) => link.ends).filter((end) => end.host === host.name);
  return [
    'link set lo up',
    ...ends.flatMap((end) => [
      ...end.addresses.map((address) => `address add ${address} dev ${end.interface}`),
      `link set ${end.interface} up`,
    ]),
    ...host.routes.map((route) => `route add ${route}`),
  ];
}

/** Settings under /proc/sys/net that must be there before the first interface is. */
export function sysctls(host: HostPlan): Record<string, string> {
  return {
    'ipv4/ip_forward': host.forwards ? '1' : '0',
    'ipv6/conf/all/forwarding': host.forwards ? '1' : '0',
    // Duplicate address detection would leave each address unusable for a second.
    'ipv6/conf/default/accept_dad': '0',
    'ipv6/conf/all/accept_dad': '0',
    'ipv6/conf/default/accept_ra': '0',
    'ipv4/conf/all/rp_filter': '0',
    'ipv4/conf/default/rp_filter': '0',
    'ipv4/conf/all/send_redirects': '0',
    'ipv4/conf/default/send_redirects': '0',
    'ipv4/ping_group_range': '0 2147483647',
    // Error messages are what stories look at; the default limits make them come at random.
    'ipv4/icmp_ratelimit': '0',
    'ipv6/icmp/ratelimit': '0',
    ...host.sysctls,
  };
}
