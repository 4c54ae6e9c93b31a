/** A portal's sides as text: files for networkd, one nftables ruleset, resolvers. Pure; `prepare.ts` writes them. */
import { block, inSet, networkSet, setMatches } from '../../appliance/host/nft-text.ts';
import { familyOf, formatPrefix, type Prefix } from '../../appliance/lib/ip.ts';
import { isOnLink, type OwnAddress, type PortalSeed, pagePort } from './portal-seed.ts';

/** Files for /run/systemd/network. Without a seed (moat.toml cannot be understood) the company side has no address, and no page. */
export function portalNetworkFiles(seed: PortalSeed): Readonly<Record<string, string>> {
  const { wild, company, portal } = seed;
  const isStatic = wild.addressing === 'static';
  const far = portal.networks.filter((each) => !isOnLink(each, company.addresses));
  const routes = far.flatMap((each) => {
    const gateway = company.gateways.find((address) => familyOf(address) === familyOf(each.address));
    return gateway === undefined ? [] : [section('Route', [`Destination=${formatPrefix(each)}`, `Gateway=${gateway}`])];
  });
  const common = ['LLMNR=no', 'LinkLocalAddressing=ipv6', 'ConfigureWithoutCarrier=yes'];
  const dhcp = ['ClientIdentifier=mac', 'UseHostname=no', 'SendHostname=no'];
  return {
    '10-wild.network':
      section('Match', ['Name=wild0']) +
      (isStatic
        ? section('Network', [
            ...addressLines(wild.addresses),
            ...wild.gateways.map(gatewayLine),
            'IPv6AcceptRA=no',
            ...common,
          ])
        : section('Network', ['DHCP=yes', 'IPv6AcceptRA=yes', 'LLMNR=no', 'LinkLocalAddressing=ipv6']) +
          section('DHCPv4', dhcp)) +
      section('Link', ['RequiredForOnline=no']),
    '20-work.network':
      section('Match', ['Name=work0']) +
      section('Network', [...addressLines(company.addresses), 'IPv6AcceptRA=no', ...common]) +
      routes.join('') +
      section('Link', ['RequiredForOnline=no']),
  };
}

export function resolverFile({ dns }: PortalSeed): string {
  return dns.map((address) => `nameserver ${address}\n`).join('');
}

function section(name: string, lines: readonly string[]): string {
  return `[${name}]\n${lines.join('\n')}\n\n`;
}

function addressLines(addresses: readonly OwnAddress[]): string[] {
  return addresses.map(({ address, network }) => `Address=${address}/${network.length}`);
}

const gatewayLine = (address: string) => `Gateway=${address}`;

/** Neighbour discovery works on a link only (RFC 4861 6.1: hop limit 255). */
const neighbours = 'ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept';
const errors = [
  'icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
  'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
];
const echo = ['icmp type echo-request accept', 'icmpv6 type echo-request accept'];
const answers = 'ct state established,related accept';

/**
 * The whole of it, from the first start on: what the supervisor does for a box from its zones, a portal has from moat.toml, because
 * there it also is who runs a web server. From the internet: IKE, ESP, and the device API that boxes enrol at. The page: from the
 * company only. Between company and homes: packets of the company's networks, both ways; whose homes those are, the tunnel knows.
 *
 * Tunnels, the device API and what is passed on are not tracked: thousands of homes cost no memory here, and a flood neither.
 */
export function portalFirewall(seed: PortalSeed, mayLogIn: boolean): string {
  const lines = [
    ...([4, 6] as const).flatMap((family) => [
      ...networkSet('company', companyNetworks(seed), family),
      ...networkSet('inner', innerNetworks(seed), family),
    ]),
    ...block('chain raw_in', ['type filter hook prerouting priority raw; policy accept;', ...rawIn(seed)]),
    ...block('chain raw_out', ['type filter hook output priority raw; policy accept;', ...rawOut(seed)]),
    ...block('chain input', ['type filter hook input priority filter; policy drop;', ...input]),
    ...block('chain from_wild', fromWild(seed)),
    ...block('chain from_work', fromWork(seed, mayLogIn)),
    ...block('chain from_tunnel', [...echo, answers, 'counter drop']),
    ...block('chain forward', ['type filter hook forward priority filter; policy drop;', ...forward(seed)]),
    ...block('chain output', ['type filter hook output priority filter; policy accept;', ...output(seed)]),
  ];
  const own = ['table inet portal', 'delete table inet portal', ...block('table inet portal', lines)];
  return [...['table inet early', 'delete table inet early'], ...own, ''].join('\n');
}

const input = [
  'iifname "lo" accept',
  'iifname "wild0" goto from_wild',
  'iifname "work0" goto from_work',
  'iifname "moat0" goto from_tunnel',
];

/** The company's, with the link that this machine is on. */
function companyNetworks({ portal, company }: PortalSeed): Prefix[] {
  return [...portal.networks, ...company.addresses.map(({ network }) => network)];
}

/** What is never seen in the clear on the wild side. */
function innerNetworks(seed: PortalSeed): Prefix[] {
  return [...companyNetworks(seed), ...seed.portal.pools.map(({ prefix }) => prefix)];
}

function rawIn(seed: PortalSeed): string[] {
  const { apiPort } = seed.portal;
  return [
    `iifname "wild0" udp dport { 500, 4500, ${apiPort} } notrack accept`,
    'iifname "wild0" meta l4proto esp notrack accept',
    `iifname "wild0" tcp dport ${apiPort} notrack accept`,
    ...setMatches('saddr', 'inner', innerNetworks(seed)).map(
      (match) => `iifname "wild0" ${match} counter drop comment "inner address outside"`,
    ),
    ...passedOn(seed).map((match) => `iifname { "work0", "moat0" } ${match} notrack accept`),
  ];
}

/** Not for this machine itself. */
function passedOn({ company }: PortalSeed): string[] {
  const own = (family: 4 | 6) =>
    company.addresses.map(({ address }) => address).filter((address) => familyOf(address) === family);
  return [
    `ip daddr != ${inSet([...own(4), '255.255.255.255', '224.0.0.0/4'])}`,
    `ip6 daddr != ${inSet([...own(6), 'fe80::/10', 'ff00::/8'])}`,
  ];
}

function rawOut({ portal: { apiPort } }: PortalSeed): string[] {
  return [
    `oifname "wild0" udp sport { 500, 4500, ${apiPort} } notrack accept`,
    'oifname "wild0" meta l4proto esp notrack accept',
    `oifname "wild0" tcp sport ${apiPort} notrack accept`,
  ];
}

function fromWild({ portal: { apiPort } }: PortalSeed): string[] {
  return [
    `udp dport { 500, 4500, ${apiPort} } accept`,
    `tcp dport ${apiPort} accept`,
    'meta l4proto esp accept',
    'udp sport 67 udp dport 68 accept',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
    neighbours,
    ...errors,
    answers,
    'counter drop',
  ];
}

function fromWork(seed: PortalSeed, mayLogIn: boolean): string[] {
  const toOther = passedOn(seed).map((match) => `${match} counter drop`);
  const company = setMatches('saddr', 'company', companyNetworks(seed));
  const ports = [pagePort, ...(mayLogIn ? [22] : [])].map(String);
  return [
    ...toOther,
    neighbours,
    ...errors,
    answers,
    ...echo,
    ...company.map((from) => `${from} tcp dport ${inSet(ports)} accept`),
    ...company.map((from) => `${from} udp dport 123 accept`),
    'counter drop',
  ];
}

function forward(seed: PortalSeed): string[] {
  const networks = companyNetworks(seed);
  return [
    ...setMatches('saddr', 'company', networks).map((match) => `iifname "work0" oifname "moat0" ${match} accept`),
    ...setMatches('daddr', 'company', networks).map((match) => `iifname "moat0" oifname "work0" ${match} accept`),
    // Who is ours is told at once instead of waiting in vain; who is outside is told nothing.
    'iifname { "work0", "moat0" } counter reject with icmpx type admin-prohibited',
    'counter drop',
  ];
}

function output(seed: PortalSeed): string[] {
  const { apiPort } = seed.portal;
  return [
    `oifname "wild0" udp sport { 500, 4500, ${apiPort} } accept`,
    `oifname "wild0" tcp sport ${apiPort} accept`,
    'oifname "wild0" meta l4proto esp accept',
    'oifname "wild0" udp sport 68 udp dport 67 accept',
    ...setMatches('daddr', 'inner', innerNetworks(seed)).map(
      (match) => `oifname "wild0" ${match} counter reject comment "inner address outside"`,
    ),
  ];
}
