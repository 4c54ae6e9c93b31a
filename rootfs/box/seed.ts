/**
 * From the moat.toml that a person edited to what runs. The table `[box]` is this image's own; the rest is the appliance's
 * configuration. A box that enrols has `[enroll] token = "moat1..."` instead, or the token in a file beside it.
 */
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { ConfigError, problemsOf } from '../../appliance/config/problems.ts';
import { parseConfig } from '../../appliance/config/schema.ts';
import { parseToken } from '../../appliance/supervisor/portal-files.ts';
import { type PortalSeed, parsePortalSeed } from './portal-seed.ts';

const box = z.strictObject({
  /** A page on the corporate side: fetching it is part of the proof that a new version works. */
  probe: z.url({ protocol: /^http$/ }).optional(),
  /** Octets per second that fetching `probe` must reach for a new version to be kept. */
  probeFloor: z.int().min(0).default(0),
  /** A root shell on the console. Who can write this file holds the box in their hands. */
  console: z.boolean().default(false),
  /** Public keys, one per line of authorized_keys; none: ssh does not run. */
  sshKeys: z.array(z.string().regex(/^ssh-[a-z0-9-]+ [A-Za-z0-9+/=]+( [^\n]*)?$/)).default([]),
});

export type BoxSettings = z.output<typeof box>;

export interface Seed {
  /** What `portal enroll-code` printed; null for a box that is configured here. */
  readonly token: string | null;
  /** What the appliance reads as its configuration; null when it comes from a portal. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly box: BoxSettings;
  /** What a portal is made of; null for a box of a home. */
  readonly portal: PortalSeed | null;
  /** Addresses of the LAN port with their prefix lengths: the box's own addresses inside the networks it brings. */
  readonly lanAddresses: readonly string[];
}

export const keyFile = 'identity.key';
/** Beside the configuration, as `moat run` looks for it. */
export const tokenFile = 'enrolment.token';
/** On the FAT partition, as the operator page and the welcome mail give it out: the token alone. */
export const enrollFile = 'moat-enroll.txt';

/** Which of the two images this is. */
export type Side = 'home' | 'portal';

/** @throws {ConfigError} with a sentence per wrong field. */
export function parseSeed(text: string, side: Side = 'home'): Seed {
  const { box: own = {}, enroll, ...rest } = parseTable(text);
  const settings = box.safeParse(own);
  if (!settings.success) throw new ConfigError(problemsOf(settings.error, own));
  if (side === 'portal') return portalSeed({ ...rest, ...(enroll === undefined ? {} : { enroll }) }, settings.data);
  if (isPortalSeed(rest)) {
    const message = 'this is the image of a box: a portal is flashed from the image with "portal" in its name';
    throw new ConfigError([{ field: '', message }]);
  }
  const token = enroll === undefined ? null : readToken((enroll as { token?: unknown }).token);
  if (Object.keys(rest).length === 0) return { ...noSeed, token, box: settings.data };
  if (token !== null)
    throw new ConfigError([{ field: 'enroll', message: 'a box that enrols has no other tables than [box]' }]);
  const identity = { privateKeyFile: keyFile, ...(rest.identity as object | undefined) };
  const config = { ...rest, identity };
  const { tunnel } = parseConfig(config);
  const lanAddresses = tunnel.sourceAddresses.map((address) => {
    const around = tunnel.networks.find((network) => network.address.includes(':') === address.includes(':'));
    return `${address}/${around?.length ?? (address.includes(':') ? 64 : 24)}`;
  });
  return { ...noSeed, config, box: settings.data, lanAddresses };
}

const noSeed = { token: null, config: null, portal: null, lanAddresses: [] } as const;

function portalSeed(table: Readonly<Record<string, unknown>>, settings: BoxSettings): Seed {
  return { ...noSeed, box: settings, portal: parsePortalSeed(table) };
}

/** A portal may also be configured as the appliance's own `role = "portal"`, without a database: that has none of these. */
function isPortalSeed({ portal, wild, company }: Readonly<Record<string, unknown>>): boolean {
  return portal !== undefined || wild !== undefined || company !== undefined;
}

/** @throws {ConfigError} where it is no token. */
export function readToken(token: unknown): string {
  const text = String(token ?? '').trim();
  try {
    parseToken(text);
    return text;
  } catch (error) {
    throw new ConfigError([{ field: 'enroll.token', message: (error as Error).message }]);
  }
}

function parseTable(text: string): Record<string, unknown> {
  try {
    return parseToml(text);
  } catch (error) {
    const [what = ''] = (error as Error).message.split('\n');
    throw new ConfigError([{ field: '', message: `moat.toml cannot be read: ${what}` }]);
  }
}
