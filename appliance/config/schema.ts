/**
 * The one configuration schema, for both ends and for provisioning. `unknown` goes in; what comes out is complete
 * (every default filled in) and true (what is checked here is checked nowhere else).
 */
import { z } from 'zod';
import { Secret } from '../lib/secret.ts';
import { certificateSchema, ppkSchema, x509Schema } from './authentication.ts';
import { address, interfaceName, network, parsed } from './fields.ts';
import { checkMapping } from './mapping.ts';
import { mapSchema } from './mapping-schema.ts';
import { ConfigError, problemsOf } from './problems.ts';
import { dhcpSection, dnsSection, ntpSection } from './sections.ts';
import { selector } from './selectors.ts';
import { checkZones, groupsSchema, policySchema, zonesSchema } from './zones.ts';

const networks = z.array(network).min(1, 'expected at least one network, such as "10.77.1.0/24"');
const seconds = (from: number, to: number) => z.int().min(from).max(to);

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected 1 to 63 letters, digits, dots, dashes or underscores');

/** An IKE identity as text: a domain name, an e-mail address, an IP address, `keyid:` and hexadecimal digits, or `C=CH, CN=gw`. */
const identityText = z
  .string()
  .regex(
    /^([\x21-\x7e]{1,255}|[A-Za-z.0-9]+=[\x20-\x7e\u00a0-\uffff]{1,400})$/,
    'expected 1 to 255 printable characters without spaces, such as "box-7.example.com", or a name such as "C=CH, CN=gw"',
  );

const ed25519PublicKey = parsed((text) => {
  const octets = new Uint8Array(Buffer.from(text, 'base64'));
  if (octets.length !== 32 || Buffer.from(octets).toString('base64') !== text) {
    throw new TypeError('expected an Ed25519 public key: 32 octets in base64, as `moat keygen` prints it');
  }
  return octets;
});

const sharedSecret = z
  .string()
  .min(16, 'expected a shared secret of at least 16 characters')
  .transform((text) => new Secret(new TextEncoder().encode(text)));

const ciphers = ['aes-256-gcm-16', 'chacha20-poly1305', 'aes-128-gcm-16'] as const;
const cipherList = z
  .array(z.enum(ciphers))
  .min(1)
  .default([...ciphers]);

/** After the first key exchange, so that traffic recorded today stays closed to a quantum computer (RFC 9370); `none` allows peers without. */
const additionalKeyExchanges = z
  .array(z.enum(['mlkem768', 'none']))
  .min(1)
  .default(['mlkem768', 'none']);

const ikeAlgorithms = z.strictObject({
  ciphers: cipherList,
  prfs: z
    .array(z.enum(['hmac-sha2-256', 'hmac-sha2-384']))
    .min(1)
    .default(['hmac-sha2-256', 'hmac-sha2-384']),
  keyExchanges: z
    .array(z.enum(['x25519', 'ecp256']))
    .min(1)
    .default(['x25519', 'ecp256']),
  additionalKeyExchanges,
});

const espAlgorithms = z.strictObject({
  ciphers: cipherList,
  keyExchanges: z
    .array(z.enum(['x25519', 'ecp256', 'none']))
    .min(1)
    .default(['x25519', 'ecp256']),
  additionalKeyExchanges,
  esn: z.array(z.boolean()).min(1).default([true, false]),
});

/** One object for all peers that say nothing of it: of ten thousand, it is read once and sent to the tunnel's process once. */
const usualIke = ikeAlgorithms.parse({});
const usualEsp = espAlgorithms.parse({});

/** An address, or a domain name. */
const gateway = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z.:-]{0,252}$/, 'expected the address or the domain name of a gateway');

const peer = z
  .strictObject({
    name,
    id: identityText,
    /** Where a home calls the portal, tried in turn; a portal waits to be called and has none. */
    addresses: z.array(address).default([]),
    publicKey: ed25519PublicKey.optional(),
    psk: sharedSecret.optional(),
    pskFile: z.string().min(1).optional(),
    /** The peer proves itself by a certificate, and so do we: identity.certificate. */
    x509: x509Schema.optional(),
    /** What we call ourselves with this peer, if not identity.id. */
    localId: identityText.optional(),
    /** Mixed into the keys, for a peer without ML-KEM. */
    ppk: ppkSchema.optional(),
    /** A child SA for each, in place of one for all: what of our networks (all of them when not given) with what of `networks`. */
    children: z
      .array(
        z.strictObject({
          local: z.array(selector).min(1).max(64).optional(),
          remote: z.array(selector).min(1).max(64),
        }),
      )
      .max(32)
      .default([]),
    /** As a home: ask for addresses of these families, and the DNS that goes with them (RFC 7296 2.19). */
    requests: z
      .array(z.enum(['ipv4', 'ipv6']))
      .max(2)
      .default([]),
    /** As a portal: what this box is given if it asks; with domains, its DNS is for these alone (RFC 8598). */
    assigns: z
      .strictObject({
        addresses: z.array(address).max(2).default([]),
        dns: z.array(address).max(8).default([]),
        domains: z
          .array(z.string().regex(/^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.(?=.)|\.?$))+$/i))
          .max(64)
          .default([]),
      })
      .optional(),
    /** Take up a lost tunnel again by a ticket, without key exchange and signature (RFC 5723); both ends must want it. */
    resume: z.boolean().default(false),
    /** As a home: call another gateway if this one says so (RFC 5685). */
    followRedirects: z.boolean().default(true),
    /** As a portal: the gateway to which this box is sent. */
    redirectTo: gateway.optional(),
    /** Make the IKE SA first and its child SAs afterwards (RFC 6023), where the peer can. */
    childless: z.boolean().default(false),
    networks,
    map: mapSchema,
    ike: ikeAlgorithms.default(() => usualIke),
    esp: espAlgorithms.default(() => usualEsp),
    /** `udp`: ESP in UDP on every path; `auto`: as IP protocol 50 where no NAT is on the way. */
    encapsulation: z.enum(['udp', 'auto']).default('udp'),
    /** Carry packets in envelopes that fit the path (RFC 9347), where the peer can. */
    aggfrag: z.boolean().default(true),
    /** Lower the MSS of TCP connections to what one envelope holds. */
    clampMss: z.boolean().default(true),
    /** Milliseconds that bulk traffic may wait for company in its envelope. */
    aggregationDelayMs: z.int().min(0).max(1000).default(0),
    /** Without AGGFRAG: fragment the envelope of a packet that is too big, or tell its sender. */
    tooBig: z.enum(['fragment', 'ptb']).default('fragment'),
    /** Hosts behind the peer that answer pings, for `moat mtu --prove`; best the peer's own inside addresses. */
    proofAddresses: z.array(address).max(4).default([]),
    // Below the ten minutes after which no key of old traffic shall exist any more.
    childRekeySeconds: seconds(10, 86_400).default(480),
    ikeRekeySeconds: seconds(10, 86_400).default(540),
    /** No key lives longer, even if no new one can be agreed on; when not given ten minutes, or a quarter more than the longer of those above. */
    keySeconds: seconds(12, 108_000).optional(),
    livenessSeconds: seconds(0, 3600).default(20),
    keepaliveSeconds: seconds(1, 3600).default(20),
  })
  .refine(
    ({ publicKey, psk, pskFile, x509 }) =>
      [publicKey, psk, pskFile, x509].filter((field) => field !== undefined).length === 1,
    'expected exactly one of publicKey, psk, pskFile and x509',
  );

const tunnel = z.strictObject({
  interface: interfaceName.default('moat0'),
  /** Octets of the largest inner packet, the same as the LAN's. */
  mtu: z.int().min(1280).max(65_535).default(1500),
  networks,
  /** What this host itself uses as source address into the tunnel; addresses of its own inside `networks`. */
  sourceAddresses: z.array(address).max(2).default([]),
  ports: z
    .strictObject({ ike: z.int().min(1).max(65_535), natTraversal: z.int().min(1).max(65_535) })
    .default({ ike: 500, natTraversal: 4500 }),
  replayWindow: z
    .int()
    .min(64)
    .max(65_536)
    .refine((size) => (size & (size - 1)) === 0, 'expected a power of two')
    .default(4096),
  /** Of the data plane (`native/index.ts`). */
  threads: z.union([z.literal('auto'), z.literal(1), z.literal(2)]).default('auto'),
});

/** Who wants a proof of a kind from the peer needs one of that kind itself. */
function checkOwnProof(
  { publicKey, x509 }: Pick<z.output<typeof peer>, 'publicKey' | 'x509'>,
  { privateKeyFile, certificate }: { privateKeyFile?: string | undefined; certificate?: unknown },
  problem: (field: string, message: string) => void,
): void {
  if (publicKey !== undefined && privateKeyFile === undefined) {
    problem('publicKey', 'needs identity.privateKeyFile: our own key to answer with');
  }
  if (x509 !== undefined && certificate === undefined) {
    problem('x509', 'needs identity.certificate: our own to answer with');
  }
}

const config = z
  .strictObject({
    /** Counted up by provisioning; 0 for a file written by hand. */
    revision: z.int().min(0).default(0),
    role: z.enum(['home', 'portal']),
    name,
    identity: z.strictObject({
      id: identityText,
      privateKeyFile: z.string().min(1).optional(),
      certificate: certificateSchema.optional(),
    }),
    tunnel,
    /** As a portal: the gateway to which every box is sent that can be, such as while this one is emptied for repair. */
    redirectTo: gateway.optional(),
    peers: z.array(peer).max(20_000).default([]),
    /** Services of the LAN; one that is left out is not run. */
    dhcp: dhcpSection.optional(),
    dns: dnsSection.optional(),
    ntp: ntpSection.optional(),
    /** Without zones the host's own firewall is left alone. */
    zones: zonesSchema.default([]),
    groups: groupsSchema.default([]),
    policy: policySchema.default([]),
    /** What else must work before a new configuration is kept; that services and tunnels do is always asked. */
    proof: z
      .strictObject({
        /** Hosts behind the tunnel that answer a ping of the LAN's size, not to be fragmented. */
        pings: z.array(address).max(8).default([]),
        /** Names that our own DNS must be able to answer. */
        names: z.array(z.string().min(1).max(253)).max(8).default([]),
      })
      .prefault({}),
  })
  .superRefine((value, context) => {
    const seen = { name: new Set<string>(), id: new Set<string>(), address: new Set<string>() };
    for (const [index, { name, id, addresses, publicKey, x509, assigns }] of value.peers.entries()) {
      const problem = (field: string, message: string) =>
        context.addIssue({ code: 'custom', path: ['peers', index, field], message });
      if (seen.name.has(name)) problem('name', `two peers are called '${name}'`);
      if (seen.id.has(id)) problem('id', `two peers have the identity '${id}'`);
      if (value.role === 'home' && addresses.length === 0) problem('addresses', 'expected at least one IP address');
      if (value.role === 'portal' && addresses.length > 0) problem('addresses', 'a portal is called and calls nobody');
      for (const given of assigns?.addresses ?? []) {
        if (seen.address.has(given)) problem('assigns', `${given} is given to two peers`);
        seen.address.add(given);
      }
      checkOwnProof({ publicKey, x509 }, value.identity, problem);
      seen.name.add(name);
      seen.id.add(id);
    }
    checkMapping(value, (path, message) => context.addIssue({ code: 'custom', path, message }));
    checkZones(value, (path, message) => context.addIssue({ code: 'custom', path, message }));
  });

export type Config = z.output<typeof config>;
export type PeerConfig = Config['peers'][number];
export type Role = Config['role'];

/** @throws {ConfigError} naming each wrong field and what was expected. */
export function parseConfig(value: unknown): Config {
  const result = config.safeParse(value);
  if (!result.success) throw new ConfigError(problemsOf(result.error, value));
  return result.data;
}
