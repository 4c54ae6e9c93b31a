/**
 * The moat.toml of a portal. What the machine itself is (sides, addresses, clock) is taken from it at every start; what the fleet is
 * told (`[portal]`) at the first start and whenever a person has changed it here. Everything else is in the portal's database.
 */
import { z } from 'zod';
import { address, network, parsed } from '../../appliance/config/fields.ts';
import { ConfigError, type Problem, problemsOf } from '../../appliance/config/problems.ts';
import {
  canonicalIp,
  familyOf,
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixOf,
} from '../../appliance/lib/ip.ts';

export interface OwnAddress {
  readonly address: string;
  readonly network: Prefix;
}

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected 1 to 63 letters, digits, dots, dashes');
const host = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, 'expected a host name or an address');

const ownAddress = parsed((text): OwnAddress => {
  const [own = '', length = ''] = text.split('/');
  const at = canonicalIp(own);
  if (!/^\d{1,3}$/.test(length)) throw new TypeError(`'${text}' has no length: expected such as "10.1.0.5/16"`);
  return { address: at, network: prefixOf(at, Number(length)) };
});

/** `PREFIX/LENGTH`: addresses for homes, and the length of one home. */
const pool = parsed((text) => {
  const cut = text.lastIndexOf('/');
  const length = Number(text.slice(cut + 1));
  const wrong = `expected PREFIX/LENGTH such as "10.64.0.0/10/24", found '${text}'`;
  if (cut < 0 || !text.slice(0, cut).includes('/')) throw new TypeError(wrong);
  const prefix = parsePrefix(text.slice(0, cut));
  if (!(length > prefix.length && length <= (familyOf(prefix.address) === 4 ? 32 : 128))) throw new TypeError(wrong);
  return { prefix, text };
});

const wild = z.strictObject({
  /** `dhcp`: from the router there. */
  addressing: z.enum(['dhcp', 'static']).default('dhcp'),
  addresses: z.array(ownAddress).max(4).default([]),
  gateways: z.array(address).max(2).default([]),
});

const schema = z.strictObject({
  role: z.literal('portal'),
  name,
  /** Resolvers that this machine itself asks: for names of mail and time servers. */
  dns: z.array(address).max(3).default([]),
  /** Time servers, by name or address. A portal whose clock is wrong lets no operator in. */
  time: z.array(host).max(8).default([]),
  portal: z.strictObject({
    /** Where boxes call: the portal's own address on the wild side, or that of the router that passes it on. */
    addresses: z.array(address).min(1, 'expected at least one address where boxes call').max(8),
    networks: z.array(network).min(1, 'expected at least one network of the company, such as "10.1.0.0/16"').max(256),
    pools: z.array(pool).min(1, 'expected at least one pool').max(2).prefault(['10.64.0.0/10/24']),
    /** What it calls itself in IKE. */
    id: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'expected a name such as "portal.example.com"')
      .optional(),
    apiPort: z.int().min(1024).max(65_535).default(8443),
    operator: name.default('admin'),
    /** Names of the operators' page, besides the company side's address. */
    hosts: z.array(host).max(8).default([]),
  }),
  wild: wild.prefault({}),
  company: z.strictObject({
    addresses: z
      .array(ownAddress)
      .min(1, 'expected this machine\'s address in the company, such as "10.1.0.5/16"')
      .max(2),
    gateways: z.array(address).max(2).default([]),
  }),
  mail: z.strictObject({ from: z.string().max(200).optional(), smtp: z.string().max(500).optional() }).prefault({}),
});

export type PortalSeed = z.output<typeof schema>;
/** Of the operators' page; the device API's is the seed's. */
export const pagePort = 8444;

/** @throws {ConfigError} with a sentence per wrong field. */
export function parsePortalSeed(table: Readonly<Record<string, unknown>>): PortalSeed {
  if (table.portal === undefined) {
    const message =
      'this is the image of a portal: expected a section [portal] (a box is flashed from the image without "portal" in its name)';
    throw new ConfigError([{ field: '', message }]);
  }
  const result = schema.safeParse(table);
  if (!result.success) throw new ConfigError(problemsOf(result.error, table));
  const problems = [...wildProblems(result.data), ...companyProblems(result.data), ...overlaps(result.data)];
  if (problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

function wildProblems({ wild: { addressing, addresses, gateways } }: PortalSeed): Problem[] {
  if (addressing === 'dhcp') {
    if (addresses.length + gateways.length === 0) return [];
    return [{ field: 'wild.addressing', message: 'expected "static" where addresses or gateways are given' }];
  }
  if (addresses.length === 0)
    return [{ field: 'wild.addresses', message: 'expected an address such as "198.51.100.10/24"' }];
  const missing = addresses.filter(({ address }) => !gateways.some((each) => familyOf(each) === familyOf(address)));
  return [
    ...missing.map(({ address }) => ({ field: 'wild.gateways', message: `expected the router that ${address} uses` })),
    ...offLink('wild.gateways', addresses, gateways),
  ];
}

function companyProblems({ company: { addresses, gateways }, portal: { networks } }: PortalSeed): Problem[] {
  const far = networks.filter((each) => !isOnLink(each, addresses));
  const unreached = far.filter((each) => !gateways.some((gateway) => familyOf(gateway) === familyOf(each.address)));
  return [
    ...unreached.map((each) => ({
      field: 'company.gateways',
      message: `expected the company's router behind which ${formatPrefix(each)} is`,
    })),
    ...offLink('company.gateways', addresses, gateways),
  ];
}

function offLink(field: string, addresses: readonly OwnAddress[], gateways: readonly string[]): Problem[] {
  return gateways
    .filter((gateway) => !addresses.some(({ network }) => prefixContains(network, gateway)))
    .map((gateway) => ({ field, message: `${gateway} is in no network of this side's addresses` }));
}

/** What would send packets of one side to the other. */
function overlaps({ wild, company, portal: { networks, pools } }: PortalSeed): Problem[] {
  const inside = [...networks, ...company.addresses.map(({ network }) => network)];
  return [
    ...wild.addresses
      .filter(({ address }) => inside.some((each) => prefixContains(each, address)))
      .map(({ address }) => ({ field: 'wild.addresses', message: `${address} is in a network of the company` })),
    ...pools
      .filter(({ prefix }) => inside.some((each) => doOverlap(each, prefix)))
      .map(({ text }) => ({ field: 'portal.pools', message: `${text} overlaps a network of the company` })),
  ];
}

export function isOnLink(far: Prefix, addresses: readonly OwnAddress[]): boolean {
  return addresses.some(({ network }) => network.length <= far.length && prefixContains(network, far.address));
}

function doOverlap(a: Prefix, b: Prefix): boolean {
  return familyOf(a.address) === familyOf(b.address) && (prefixContains(a, b.address) || prefixContains(b, a.address));
}
