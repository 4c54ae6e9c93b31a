/** From the seed to what the portal's own programs are told: options of its making, its record, its settings. Pure. */
import { formatPrefix } from '../../appliance/lib/ip.ts';
import type { InitOptions } from '../../provisioning/cli/init.ts';
import { type PortalSeed, pagePort } from '../box/portal-seed.ts';

type Section = Readonly<Record<string, unknown>>;

export const database = 'sqlite:moat.db';

export function initOptions(seed: PortalSeed): InitOptions {
  const { name, portal } = seed;
  return {
    name,
    ...(portal.id === undefined ? {} : { id: portal.id }),
    address: portal.addresses,
    network: portal.networks.map(formatPrefix),
    pool: portal.pools.map(({ text }) => text),
    apiPort: String(portal.apiPort),
    database,
  };
}

/** What of the portal's record follows moat.toml. */
export interface Wanted {
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
  readonly apiUrls: readonly string[];
  /** The clock, and whom of the company it serves; null: no time servers were given. */
  readonly ntp: Section | null;
}

export function wantedFacts({ portal, company, time }: PortalSeed): Wanted {
  const own = company.addresses.map(({ address }) => address);
  const networks = portal.networks.map(formatPrefix);
  const links = company.addresses.map(({ network }) => formatPrefix(network));
  return {
    addresses: portal.addresses,
    networks,
    apiUrls: portal.addresses.map((ip) => `https://${ip.includes(':') ? `[${ip}]` : ip}:${portal.apiPort}`),
    ntp:
      time.length === 0
        ? null
        : {
            listen: own,
            interface: 'work0',
            clients: [...new Set([...networks, ...links])],
            sources: time.map((host) => ({ host })),
          },
  };
}

/** The settings of the portal's record with ours in them; what else stands there stays. */
export function withOurs({ ntp: _, ...rest }: Section, { ntp }: Wanted): Section {
  return { ...rest, ...(ntp === null ? {} : { ntp }) };
}

/** `portal.toml`. @param name as it was given at the first start: the database knows the portal by it. */
export function settingsText(name: string, { portal, company, mail }: PortalSeed): string {
  const text = (value: unknown) => JSON.stringify(value);
  const own = company.addresses.map(({ address }) => (address.includes(':') ? `[${address}]` : address));
  const hosts = [...own, ...portal.hosts].map((host) => (/:\d+$/.test(host) ? host : `${host}:${pagePort}`));
  const lines = [
    '# Written at every start from moat.toml on the FAT partition: change it there.',
    `name = ${text(name)}`,
    `database = ${text(database)}`,
    '[deviceApi]',
    `port = ${portal.apiPort}`,
    '[operatorApi]',
    `listen = ${text(company.addresses[0]?.address)}`,
    `port = ${pagePort}`,
    `hosts = ${text([...new Set(hosts)])}`,
    '[mail]',
    ...Object.entries(mail).map(([field, value]) => `${field} = ${text(value)}`),
  ];
  return `${lines.join('\n')}\n`;
}

export interface FirstOperator {
  readonly name: string;
  readonly password: string;
  readonly totpSecret: string;
  readonly otpauth: string;
  /** SHA-256 of the page's certificate, as browsers show it. */
  readonly fingerprint: string;
}

/** What stands on the FAT partition after the first start. Lines `word: value`, for people and programs. */
export function firstOperatorText(seed: PortalSeed, operator: FirstOperator): string {
  const own = seed.company.addresses.map(({ address }) => (address.includes(':') ? `[${address}]` : address));
  return `The first operator of the portal ${seed.name}. Put these into your password manager and your authenticator, then
delete this file: it is not written a second time.

page: https://${own[0]}:${pagePort}
name: ${operator.name}
password: ${operator.password}
authenticator secret: ${operator.totpSecret}
authenticator address: ${operator.otpauth}

The page's certificate is its own. Before you type a password, compare its SHA-256 with the one that your browser shows:
certificate: ${operator.fingerprint}
`;
}
