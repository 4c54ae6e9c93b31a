/**
 * The box's one nftables ruleset, as text, made whole from the configuration. Pure; `nft.ts` puts it in force.
 *
 * Theory of operation. Every chain denies unless a rule says otherwise. A pair of zones that may talk has two rules, one for
 * each direction: what asks, and what answers. The answer's rule is of the pair too, so that taking a pair away ends flows
 * that were under way, which one rule for everything "established" would not.
 *
 * Inner addresses (of our own zones, and of what lies behind the tunnels) never pass the wild side in the clear, in
 * either direction, whatever a DHCP server or a router there claims (the TunnelCrack class of attacks).
 */
import { networksSeen } from '../config/mapping.ts';
import type { Config } from '../config/schema.ts';
import type { PolicyRow, Zone } from '../config/zones.ts';
import { familyOf, type Prefix } from '../lib/ip.ts';
import { listenerRules } from './listeners.ts';
import { mappingChains } from './mapping.ts';
import { addressMatches, block, inSet, networkSet, prefixesByFamily, quoted, setMatches } from './nft-text.ts';

/** The interface of each zone, by the zone's name. A zone whose interface is not known has no rules: it is shut. */
export type Devices = ReadonlyMap<string, string>;

interface Facts {
  readonly config: Config;
  readonly zones: readonly PlacedZone[];
}

interface PlacedZone extends Zone {
  readonly device: string;
}

export const tableName = 'moat';

export function firewallText(config: Config, devices: Devices): string {
  const zones = config.zones.flatMap((zone): PlacedZone[] => {
    const device = devices.get(zone.name);
    return device === undefined ? [] : [{ ...zone, device }];
  });
  const facts = { config, zones };
  const inside = zones.filter(({ kind }) => kind !== 'wild');
  const chains = [
    ...sets(facts),
    ...block('chain raw_in', ['type filter hook prerouting priority raw; policy accept;', ...rawInRules(facts)]),
    ...block('chain raw_out', ['type filter hook output priority raw; policy accept;', ...rawOutRules(facts)]),
    ...block('chain input', ['type filter hook input priority filter; policy drop;', ...inputRules(facts)]),
    ...zones.flatMap((zone) => block(`chain from_${chainName(zone)}`, listenerRules(zone, config.tunnel.ports))),
    ...block('chain from_tunnel', fromTunnelRules(facts)),
    ...block('chain forward', ['type filter hook forward priority filter; policy drop;', ...forwardRules(facts)]),
    ...block('chain output', ['type filter hook output priority filter; policy accept;', ...outputRules(facts)]),
    ...block('chain postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      ...masqueradeRules(facts, inside),
    ]),
    ...mappingChains(config),
  ];
  // Naming the table first makes the deletion right whether or not there is one.
  return [
    // What holds between power on and now ends in the same transaction.
    'table inet early',
    'delete table inet early',
    `table inet ${tableName}`,
    `delete table inet ${tableName}`,
    ...block(`table inet ${tableName}`, chains),
    '',
  ].join('\n');
}

/** The long lists, once each: a portal has tens of thousands of networks behind its tunnels. */
function sets(facts: Facts): string[] {
  const work = facts.zones.filter(({ kind }) => kind === 'work');
  return ([4, 6] as const).flatMap((family) => [
    ...networkSet('inner', innerPrefixes(facts), family),
    ...work.flatMap((zone) => networkSet(peersSet(zone), peerPrefixes(zone, facts), family)),
  ]);
}

const peersSet = (zone: Zone) => `peers_${chainName(zone)}`;
const chainName = ({ name }: Zone) => name.replaceAll('-', '_');
const wildSides = ({ zones }: Facts) => zones.filter(({ kind }) => kind === 'wild');
const tunnelDevice = ({ config }: Facts) => quoted(config.tunnel.interface);

/** IKE and ESP in UDP. They are not tracked: a flood of them costs no memory, and an established tunnel no lookups. */
function tunnelPorts({ config }: Facts): string {
  const { ike, natTraversal } = config.tunnel.ports;
  return `{ ${ike}, ${natTraversal} }`;
}

/** What must never be seen in the clear on the wild side. A peer that is the way to everything has no such addresses. */
function innerPrefixes({ config, zones }: Facts): Prefix[] {
  return [
    ...zones.filter(({ kind }) => kind === 'work').flatMap(networksOf),
    ...config.peers.flatMap(networksSeen).filter(({ length }) => length > 0),
  ];
}

function networksOf(zone: Zone): Prefix[] {
  return zone.addresses.map(({ network }) => network);
}

function rawInRules(facts: Facts): string[] {
  const spoofed = facts.zones
    .filter(({ kind }) => kind !== 'wild')
    .flatMap((zone) => {
      const own = networksOf(zone);
      const from = `iifname ${quoted(zone.device)}`;
      return [
        `${from} ip saddr != ${inSet([...prefixesByFamily(own, 4), '0.0.0.0'])} counter drop comment "spoofed"`,
        `${from} ip6 saddr != ${inSet([...prefixesByFamily(own, 6), 'fe80::/10', '::'])} counter drop comment "spoofed"`,
      ];
    });
  const wild = wildSides(facts).flatMap(({ device }) => {
    const from = `iifname ${quoted(device)}`;
    const kids = facts.zones.filter(({ kind }) => kind === 'kids').flatMap(networksOf);
    const inner = [...setMatches('saddr', 'inner', innerPrefixes(facts)), ...addressMatches('saddr', kids)];
    return [
      `${from} udp dport ${tunnelPorts(facts)} notrack accept`,
      `${from} meta l4proto esp notrack accept`,
      ...inner.map((match) => `${from} ${match} counter drop comment "inner address outside"`),
    ];
  });
  return [...spoofed, ...wild];
}

function rawOutRules(facts: Facts): string[] {
  return wildSides(facts).flatMap(({ device }) => [
    `oifname ${quoted(device)} udp sport ${tunnelPorts(facts)} notrack accept`,
    `oifname ${quoted(device)} meta l4proto esp notrack accept`,
  ]);
}

function inputRules(facts: Facts): string[] {
  return [
    'iifname "lo" accept',
    ...facts.zones.map((zone) => `iifname ${quoted(zone.device)} goto from_${chainName(zone)}`),
    `iifname ${tunnelDevice(facts)} goto from_tunnel`,
  ];
}

/** Who sits at the other end of a tunnel is known by its addresses: the data plane lets no others in. */
function fromTunnelRules(facts: Facts): string[] {
  const rules = facts.zones
    .filter(({ kind }) => kind === 'work')
    .flatMap((zone) =>
      setMatches('saddr', peersSet(zone), peerPrefixes(zone, facts)).flatMap((from) =>
        listenerMatches(zone.tunnelListeners, from.startsWith('ip6') ? 6 : 4).map((rule) => `${from} ${rule} accept`),
      ),
    );
  return ['ct state established,related accept', ...new Set(rules), 'counter drop'];
}

function listenerMatches(names: Zone['tunnelListeners'], family: 4 | 6): string[] {
  const matches: Record<string, string[]> = {
    ping: [family === 4 ? 'icmp type echo-request' : 'icmpv6 type echo-request'],
    dns: ['udp dport 53', 'tcp dport 53'],
    ntp: ['udp dport 123'],
    ssh: ['tcp dport 22'],
    dhcp: [],
  };
  return names.flatMap((name) => matches[name] ?? []);
}

function peerPrefixes(zone: Zone, { config }: Facts): Prefix[] {
  const peers = config.peers.filter(({ name }) => zone.peers === undefined || zone.peers.includes(name));
  return peers.flatMap(({ networks }) => networks);
}

function forwardRules(facts: Facts): string[] {
  const work = facts.zones.filter(({ kind }) => kind === 'work').flatMap((zone) => throughTunnel(zone, facts));
  const wild = wildSides(facts);
  const kids = facts.zones
    .filter(({ kind }) => kind === 'kids')
    .flatMap((zone) => wild.flatMap((to) => pair(zone, to, toInternet)));
  const rows = facts.config.policy.flatMap((row) => policyRules(row, facts));
  return ['ct state invalid counter drop', ...work, ...kids, ...rows, ...refusals(facts), 'counter drop'];
}

/** Who is ours is told at once instead of waiting in vain; who is outside is told nothing. */
function refusals({ config, zones }: Facts): string[] {
  const inside = zones.filter(({ kind }) => kind !== 'wild').map(({ device }) => quoted(device));
  const from = inSet([...inside, quoted(config.tunnel.interface)]);
  return [`iifname ${from} counter reject with icmpx type admin-prohibited`];
}

/**
 * The internet, which the network around the box's wild side (the family's router and what else hangs on it) is not part of.
 * A row of the policy may say otherwise.
 */
const toInternet = [
  'ip daddr != { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3 }',
  'ip6 daddr 2000::/3',
];

function throughTunnel(zone: PlacedZone, facts: Facts): string[] {
  const [lan, tunnel] = [quoted(zone.device), tunnelDevice(facts)];
  const theirs = peerPrefixes(zone, facts);
  return ([4, 6] as const).flatMap((family) => {
    const here = prefixesByFamily(networksOf(zone), family);
    if (here.length === 0 || !theirs.some(({ address }) => familyOf(address) === family)) return [];
    const ip = family === 4 ? 'ip' : 'ip6';
    const [ours, others] = [inSet(here), `@${peersSet(zone)}_${family}`];
    return [
      `iifname ${lan} oifname ${tunnel} ${ip} saddr ${ours} ${ip} daddr ${others} accept`,
      `iifname ${tunnel} oifname ${lan} ${ip} saddr ${others} ${ip} daddr ${ours} accept`,
    ];
  });
}

function pair(from: PlacedZone, to: PlacedZone, matches: readonly string[]): string[] {
  const [a, b] = [quoted(from.device), quoted(to.device)];
  return [
    ...matches.map((match) => `iifname ${a} oifname ${b} ${match} accept`),
    `iifname ${b} oifname ${a} ct direction reply ct state established,related accept`,
  ];
}

function policyRules(row: PolicyRow, facts: Facts): string[] {
  const from = facts.zones.find(({ name }) => name === row.from);
  const to = facts.zones.find(({ name }) => name === row.to);
  if (!from || !to) return [];
  return pair(from, to, policyMatches(row, facts));
}

function policyMatches({ sources, groups, destinations, protocol, ports }: PolicyRow, facts: Facts): string[] {
  const named = facts.config.groups.filter(({ name }) => groups?.includes(name));
  const everybody = sources === undefined && groups === undefined;
  const networks = [...(sources ?? []), ...named.flatMap((group) => group.networks)];
  const macs = named.flatMap((group) => group.macs);
  return ([4, 6] as const).flatMap((family) => {
    const ip = family === 4 ? 'ip' : 'ip6';
    const inFamily = (word: string, list: readonly Prefix[]) => {
      const own = prefixesByFamily(list, family);
      return own.length === 0 ? [] : [`${ip} ${word} ${inSet(own)}`];
    };
    const who = everybody
      ? ['']
      : [...inFamily('saddr', networks), ...(macs.length > 0 ? [`ether saddr ${inSet(macs)}`] : [])];
    const where = destinations === undefined ? [''] : inFamily('daddr', destinations);
    const icmp = family === 4 ? 'meta l4proto icmp' : 'meta l4proto ipv6-icmp';
    const what = protocol === 'any' ? [] : protocol === 'icmp' ? [icmp] : portMatch(protocol, ports);
    return who.flatMap((each) =>
      where.map((place) =>
        [`meta nfproto ipv${family}`, each, place, ...what].filter((words) => words !== '').join(' '),
      ),
    );
  });
}

function portMatch(protocol: 'tcp' | 'udp', ports: readonly number[] | undefined): string[] {
  return [ports === undefined ? `meta l4proto ${protocol}` : `${protocol} dport ${inSet(ports.map(String))}`];
}

function outputRules(facts: Facts): string[] {
  return wildSides(facts).flatMap(({ device }) => {
    const to = `oifname ${quoted(device)}`;
    return [
      `${to} udp sport ${tunnelPorts(facts)} accept`,
      `${to} meta l4proto esp accept`,
      // The router that gave us our address may well have one that the company uses, too.
      `${to} udp sport 68 udp dport 67 accept`,
      ...setMatches('daddr', 'inner', innerPrefixes(facts)).map(
        (match) => `${to} ${match} counter reject comment "inner address outside"`,
      ),
    ];
  });
}

/** Ports 500 and 4500 stay ours: a VPN client behind us is given others, which it expects behind a NAT. */
function masqueradeRules(facts: Facts, inside: readonly Zone[]): string[] {
  const networks = inside.flatMap(networksOf);
  return wildSides(facts).flatMap(({ device }) =>
    [
      ...addressMatches(
        'saddr',
        networks.filter(({ address }) => familyOf(address) === 4),
      ),
      // Addresses that no other network can answer (RFC 4193); global ones stay what they are.
      ...addressMatches(
        'saddr',
        networks.filter(({ address }) => /^f[cd]/.test(address) && familyOf(address) === 6),
      ),
    ].flatMap((match) => [
      `oifname ${quoted(device)} ${match} meta l4proto { tcp, udp } masquerade to :16384-65535`,
      `oifname ${quoted(device)} ${match} masquerade`,
    ]),
  );
}
