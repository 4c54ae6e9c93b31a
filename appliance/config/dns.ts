import { z } from 'zod';
import { address, networkText } from './fields.ts';

const port = z.number().int().min(1).max(65535).default(53);

/** Labels of letters, digits, `-` and `_`; `.` alone is the root. A last dot is optional. */
const domain = z
  .string()
  .max(254)
  .regex(/^(\.|([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.(?=.)|\.?$))+)$/i, 'not a domain name')
  .transform((text) => text.toLowerCase());

const endpoint = z.strictObject({ address, port });

const tsigKey = z.strictObject({
  name: domain,
  /** Base64; RFC 8945 6: the algorithm is HMAC-SHA-256. At least 16 octets. */
  secret: z.base64().refine((text) => Buffer.from(text, 'base64').length >= 16, 'shorter than 16 octets'),
});

const zone = z.strictObject({
  name: domain,
  primaries: z
    .array(z.strictObject({ address, port, key: domain.optional() }))
    .min(1)
    .max(8),
  /** Local address of transfers, so that they take the way (the tunnel) that the address belongs to. */
  source: address.optional(),
  /** After the SOA's expiry without a primary: go on serving it, marked stale, or answer SERVFAIL. */
  serveExpired: z.boolean().default(true),
  /**
   * The zone is a catalog (RFC 9432): the zones that it lists are fetched from the same primaries and served, itself is not.
   * Only zones at or below `within` are taken: a catalog must not decide about other names of the house.
   */
  catalog: z.strictObject({ within: z.array(domain).min(1).max(16) }).optional(),
});

const forward = z.strictObject({
  domain,
  servers: z.array(endpoint).min(1).max(8),
  source: address.optional(),
  /** Which way the servers are reached: it decides what a failure is blamed on. */
  via: z.enum(['wan', 'tunnel']).default('wan'),
});

const host = z.strictObject({ name: domain, addresses: z.array(address).min(1).max(16) });

/** The DNS service of a home. Applied whole; see `appliance/lan/dns/README.md`. */
export const dnsConfig = z
  .strictObject({
    /** LAN addresses only: nothing may listen on the wild side. */
    listen: z.array(endpoint).min(1).max(16),
    /** Who may ask: the networks of the LAN. Everyone else gets no answer at all. */
    clients: z.array(networkText).min(1).max(64),
    /** Absolute path of a directory of our own; zones are kept there. */
    stateDirectory: z.string().startsWith('/'),
    /** Written by the DHCP service; see `local/lan-names.ts`. */
    leasesFile: z.string().startsWith('/').optional(),
    /** Written by the supervisor; see `local/why.ts`. */
    statusFile: z.string().startsWith('/').optional(),
    /** Domain of LAN names (RFC 8375). */
    domain: domain.default('home.arpa'),
    /** Networks whose reverse names we answer for. */
    reverse: z.array(networkText).max(16).default([]),
    hosts: z.array(host).max(1000).default([]),
    keys: z.array(tsigKey).max(64).default([]),
    zones: z.array(zone).max(64).default([]),
    forward: z.array(forward).max(64).default([]),
    cache: z
      .strictObject({
        octets: z.number().int().min(65_536).max(268_435_456).default(4_194_304),
        /** RFC 8767: how long after its end an answer may still be given when nothing better comes. */
        staleSeconds: z.number().int().min(0).max(604_800).default(86_400),
      })
      .prefault({}),
    /** Questions of one client: a bucket of `burst`, filled `perSecond`. */
    rateLimit: z
      .strictObject({
        perSecond: z.number().int().min(1).max(10_000_000).default(1_000),
        burst: z.number().int().min(1).max(10_000_000).default(2_000),
      })
      .prefault({}),
  })
  .superRefine((config, ctx) => {
    const keys = new Set(config.keys.map((key) => key.name));
    config.zones.forEach((each, i) => {
      each.primaries.forEach((primary, j) => {
        if (primary.key === undefined || keys.has(primary.key)) return;
        const path = ['zones', i, 'primaries', j, 'key'];
        ctx.addIssue({ code: 'custom', path, message: `there is no key '${primary.key}' in keys` });
      });
    });
  });

export type DnsConfig = z.output<typeof dnsConfig>;
/** What a person may write: with defaults left out. */
export type DnsConfigInput = z.input<typeof dnsConfig>;
