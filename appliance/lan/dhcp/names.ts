import { concat } from '../../lib/bytes.ts';
import { option } from './numbers.ts';
import type { RawOptions } from './options.ts';

/** Names that a client must not get in the LAN's domain: others look for them and would trust it (WPAD, RFC 6761). */
const forbidden = new Set([
  'localhost',
  'wpad',
  'isatap',
  'local',
  'invalid',
  'test',
  'example',
  'onion',
  'why',
  'moat',
]);

/**
 * A host name fit for DNS from what a client calls itself: its first label, lower case, letters, digits and
 * inner hyphens, 63 octets at most. Empty when nothing usable is left.
 */
export function cleanHostname(text: string): string {
  const label = text.normalize('NFKD').split('.')[0] ?? '';
  const clean = label
    .toLowerCase()
    .replace(/['\u2019]|\p{M}/gu, '')
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return forbidden.has(clean) || /^\d+$/.test(clean) ? '' : clean;
}

const latin = new TextDecoder('latin1');
const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeText(octets: Uint8Array): string {
  const end = octets.indexOf(0);
  const text = end === -1 ? octets : octets.subarray(0, end);
  try {
    return utf8.decode(text);
  } catch {
    return latin.decode(text);
  }
}

/** RFC 4702 2.1: flags, two deprecated result codes, then the name, ASCII or (E flag) as in DNS. */
const fqdnFlags = { server: 1, override: 2, encoded: 4, none: 8 } as const;
const fqdnHeader = 3;

/** The name a client asks for: option 81 if it is there, option 12 otherwise. */
export function requestedHostname(options: RawOptions): string {
  const fqdn = options.get(option.clientFqdn);
  const fromFqdn = fqdn && fqdn.length > fqdnHeader ? cleanHostname(fqdnLabel(fqdn)) : '';
  if (fromFqdn !== '') return fromFqdn;
  const plain = options.get(option.hostName);
  return plain ? cleanHostname(decodeText(plain.subarray(0, 255))) : '';
}

function fqdnLabel(fqdn: Uint8Array): string {
  const name = fqdn.subarray(fqdnHeader);
  if (((fqdn[0] ?? 0) & fqdnFlags.encoded) === 0) return decodeText(name);
  const length = name[0] ?? 0;
  return length <= 63 ? decodeText(name.subarray(1, 1 + length)) : '';
}

/**
 * The answer to option 81: DNS has the name by the lease, so we say that the server did it (S), and that it
 * overrode the client (O) when that asked otherwise (RFC 4702 4). Result codes are 255 (RFC 4702 2.2).
 */
export function answerFqdn(fqdn: Uint8Array, name: string): Uint8Array {
  const asked = fqdn[0] ?? 0;
  const encoded = asked & fqdnFlags.encoded;
  const overridden = (asked & fqdnFlags.server) === 0 ? fqdnFlags.override : 0;
  const body = encoded ? encodeName(name) : asciiOctets(name);
  return concat(Uint8Array.of(fqdnFlags.server | overridden | encoded, 255, 255), body);
}

export function asciiOctets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A domain name as DNS writes it (RFC 1035 3.1), uncompressed. */
export function encodeName(name: string): Uint8Array {
  const labels = name.split('.').filter((label) => label !== '');
  return concat(...labels.map((label) => concat(Uint8Array.of(label.length), asciiOctets(label))), Uint8Array.of(0));
}
