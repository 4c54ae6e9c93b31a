/** What every field of every kind means, in one line for people: the command's help and the page's hints are made of it. */
import type { KindName } from './kinds.ts';

export interface Meaning {
  /** What to write, in the shape of it: `customer/site`, `address,...`. */
  readonly shape: string;
  readonly meaning: string;
}

const means = (shape: string, meaning: string): Meaning => ({ shape, meaning });

const name = means('name', 'what it is called: letters, digits, dots, dashes');
const note = means('text', 'whatever people should know');
const settings = (of: string) => means('json', `${of}, whole; --setting changes one of them, such as tunnel.mtu=1400`);

export const meanings: Readonly<Record<KindName, Readonly<Record<string, Meaning>>>> = {
  customer: {
    name: means('name', 'who it is, in any script, without a slash'),
    email: means('address', 'where the welcome mail goes, such as home@acme.example'),
    note,
  },
  portal: {
    name,
    ikeId: means('identity', 'what it calls itself in IKE, such as portal.example.com'),
    publicKey: means('base64', 'Ed25519 key of its tunnel end, as `portal init` makes it'),
    addresses: means('address,...', 'where boxes call, such as 198.51.100.10,2001:db8::10'),
    networks: means('prefix,...', 'corporate networks behind it, such as 10.1.0.0/16'),
    apiUrls: means('url,...', 'where boxes reach its device API, such as https://198.51.100.10:8443'),
    apiKey: means('base64', 'Ed25519 key of its device API, which boxes pin'),
    settings: settings('settings of its tunnel end'),
  },
  policy: { name, settings: settings('settings of all its sites'), note },
  zone: {
    policy: means('policy', 'the policy that it belongs to'),
    name: means('name', 'a zone of the home, such as work'),
    reaches: means('zone,...', 'zones that it may start a conversation with, such as internet,guests'),
  },
  'dns-zone': {
    name: means('domain', 'the zone, such as corp.example'),
    primaries: means('address,...', 'servers that it is fetched from, such as 10.1.0.53,10.1.0.54'),
    policy: means('policy', 'only boxes of this policy serve it; null: all do'),
    tsigKey: means(
      'name:secret',
      'key of its transfers (HMAC-SHA-256, secret in base64), such as corp-key:c2VjcmV0...',
    ),
    catalogWithin: means('domain,...', 'it is a catalog (RFC 9432) of zones at or below these; null: a plain zone'),
  },
  pool: {
    name,
    prefix: means('prefix', 'addresses that sites get ranges of, such as 10.64.0.0/10'),
    siteLength: means('bits', 'length of the range of one site, such as 24'),
  },
  site: {
    customer: means('customer', 'whose it is'),
    name: means('name', 'which of its homes, such as home'),
    policy: means('policy', 'whose settings and zones it has'),
    portal: means('portal', 'which its box calls; needed where there are several'),
    settings: settings('settings laid over those of the policy'),
  },
  range: {
    pool: means('pool', 'where it is from'),
    site: means('customer/site', 'whose it is'),
    slot: means('number', 'which of the pool, from 0'),
    prefix: means('prefix', 'the addresses, such as 10.64.7.0/24'),
  },
  device: {
    site: means('customer/site', 'the home that it serves, such as acme/home'),
    name,
    ikeId: means('identity', 'what it calls itself in IKE, such as home-1.portal.moat'),
    channel: means('channel', 'whose releases it follows, such as stable'),
    settings: settings('settings laid over those of policy and site'),
    state: means('state', 'expected, enrolled or revoked'),
    movedTo: means('json', 'the portal that it is sent to; null: none'),
    note,
  },
  key: {
    device: means('device', 'whose it is'),
    publicKey: means('base64', 'Ed25519, 32 octets'),
    state: means('state', 'factory, active, next or retired'),
  },
  release: {
    name: means('version', 'what boxes report when they run it, such as 1.1.0'),
    channel: means('channel', 'of the boxes that it is for, such as stable'),
    url: means('url', 'where they fetch the bundle, such as https://files.example/moat-1.1.0-pc.bundle'),
    sha256: means('digest', 'of the bundle, 64 hexadecimal digits'),
    signature: means('base64', 'of the bundle, by the key of the releases'),
    state: means('state', 'draft, rolling or stopped'),
    percent: means('percent', 'share of the channel that it is offered to, such as 5, then 20, then 100'),
    maxFailures: means('count', 'when more boxes than this go back it is stopped'),
  },
};
