/** The building blocks of record kinds: how a field looks to people, and how it is stored. */
import { z } from 'zod';
import { canonicalIp, formatPrefix, parsePrefix } from '../../appliance/lib/ip.ts';
import type { KindName } from './kinds.ts';

export interface Field {
  readonly type: 'text' | 'integer' | 'json' | 'reference';
  readonly schema: z.ZodType;
  /** What a new record has when nothing is said; without it the field must be given. */
  readonly initial?: unknown;
  /** Of a reference: the kind that it names. Its column ends in `Id`. */
  readonly to?: KindName;
  /** Of a secret: how it is told to people. An export leaves the rest out unless it is asked for. */
  readonly conceal?: (value: unknown) => unknown;
}

type More = Pick<Field, 'initial' | 'conceal'>;

export const text = (schema: z.ZodType<string>, more: More = {}): Field => ({ type: 'text', schema, ...more });
export const integer = (from: number, to: number, more: More = {}): Field => ({
  type: 'integer',
  schema: z.int().min(from).max(to),
  ...more,
});
export const json = (schema: z.ZodType, more: More = {}): Field => ({ type: 'json', schema, ...more });

const labelText = z.string().min(1, 'expected a name').max(200);
export const reference = (to: KindName, more: More = {}): Field => ({
  type: 'reference',
  schema: more.initial === null ? labelText.nullable() : labelText,
  to,
  ...more,
});

function checked(parse: (text: string) => string) {
  return z
    .string()
    .max(300)
    .transform((value, context) => {
      try {
        return parse(value);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    });
}

export const ip = checked(canonicalIp);
export const network = checked((value) => formatPrefix(parsePrefix(value)));

/** As the configuration's own names: they become part of it. */
export const recordName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected 1 to 63 letters, digits, dots, dashes or underscores');

/** For people: any script, no control characters, and no slash because `customer/site` names a site. */
export const title = z
  .string()
  .regex(
    /^[^\p{C}/\s](?:[^\p{C}/]{0,78}[^\p{C}/\s])?$/u,
    'expected 1 to 80 characters without slash and without spaces around',
  );

export const note = z
  .string()
  .max(2000)
  .regex(/^(?:\P{C}|[\n\t])*$/u, 'expected text without control characters');

export const email = z.union([z.literal(''), z.email('expected an e-mail address')]);

export const ikeId = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 printable characters without spaces, such as "box-7.example.com"');

export const publicKey = z.string().refine((value) => {
  const octets = Buffer.from(value, 'base64');
  return octets.length === 32 && octets.toString('base64') === value;
}, 'expected an Ed25519 public key: 32 octets in base64');

export const httpsUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url?.protocol === 'https:' && url.username === '' && value.length <= 300;
}, 'expected an address such as "https://198.51.100.10:8443"');

/** What lies there proves itself by its own signature: plain HTTP will do, as company servers have it that no public authority knows. */
export const fileUrl = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  return isWeb && url.username === '' && value.length <= 300;
}, 'expected an address such as "https://files.example/moat-1.1.0-pc.bundle" (http: will do, bundles are signed)');

const hiddenSecret = '[secret]';

/** A TSIG key (RFC 8945, HMAC-SHA-256) as `NAME:SECRET`; empty: none. */
export const tsigKey = z.string().superRefine((value, context) => {
  if (value === '') return;
  const [name = '', secret = ''] = [value.slice(0, value.lastIndexOf(':')), value.slice(value.lastIndexOf(':') + 1)];
  const octets = Buffer.from(secret, 'base64');
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  if (value.endsWith(`:${hiddenSecret}`))
    refuse('was left out of what this was read from: give the whole key, or export with --secrets');
  else if (!/^[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_.])?$/.test(name))
    refuse('expected NAME:SECRET, the name in small letters');
  else if (octets.length < 16 || octets.toString('base64') !== secret)
    refuse('expected NAME:SECRET, the secret 16 octets or more in base64');
});

/** `corp-key:[secret]`. */
export function concealTsigKey(value: unknown): string {
  const text = String(value ?? '');
  return text === '' ? '' : `${text.slice(0, text.lastIndexOf(':'))}:${hiddenSecret}`;
}

/**
 * A part of a device's configuration, in the shape of `appliance/config/schema.ts`. What it may hold is decided by that
 * schema when the configurations that it belongs to are compiled, so that nothing is described twice.
 */
export const settings = z
  .record(z.string(), z.unknown())
  .refine((value) => JSON.stringify(value).length <= 65_536, 'expected at most 64 KiB of settings')
  .superRefine((value, context) => {
    const reserved = (path: string[]) =>
      context.addIssue({ code: 'custom', path, message: 'is worked out by the portal and cannot be set' });
    for (const key of ['revision', 'role', 'name', 'identity', 'peers']) if (key in value) reserved([key]);
    for (const key of ['networks', 'sourceAddresses']) if (has(value.tunnel, key)) reserved(['tunnel', key]);
    for (const key of ['name', 'id', 'addresses', 'publicKey', 'psk', 'pskFile', 'networks']) {
      if (has(value.peer, key)) reserved(['peer', key]);
    }
  });

function has(section: unknown, key: string): boolean {
  return typeof section === 'object' && section !== null && Object.hasOwn(section, key);
}
