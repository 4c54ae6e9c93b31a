import { concat, fromHex, hex, type Reader, sameBytes } from '../../lib/bytes.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Identity } from '../api.ts';

/*
 * RFC 7296 3.5
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |   ID Type     |                 RESERVED                      |
 * ~                   Identification Data                         ~
 */

/**
 * The body of the payload as it was on the wire: AUTH covers it with its reserved octets (RFC 7296 2.15).
 * At least the four octets of its head.
 */
export interface Identification {
  readonly body: Uint8Array;
}

const kinds: Readonly<Record<Identity['kind'], number>> = { ipv4: 1, fqdn: 2, rfc822: 3, ipv6: 5, keyId: 11 };
const kindOf = new Map<number, Identity['kind']>(
  Object.entries(kinds).map(([kind, type]) => [type, kind as Identity['kind']]),
);

/** @throws {DecodeError} */
export function decodeIdentification(reader: Reader): Identification {
  return { body: concat(reader.bytes(4), reader.rest()) };
}

export function encodeIdentification(identification: Identification): Uint8Array {
  return identification.body;
}

function identityData(identity: Identity): Uint8Array {
  if (identity.kind === 'ipv4' || identity.kind === 'ipv6') return parseIp(identity.value);
  if (identity.kind === 'keyId') return fromHex(identity.value);
  return new Uint8Array(Buffer.from(identity.value, 'utf8'));
}

/** @throws {TypeError} or {DecodeError} when the value is no address or no hexadecimal: a mistake of the configuration. */
export function identificationOf(identity: Identity): Identification {
  return { body: concat(Uint8Array.of(kinds[identity.kind], 0, 0, 0), identityData(identity)) };
}

/** For reports only; null for a type or an address length that no `Identity` has. */
export function identityOf(identification: Identification): Identity | null {
  const kind = kindOf.get(identification.body[0] ?? 0);
  const data = identification.body.subarray(4);
  if (kind === undefined || data.length === 0) return null;
  if (kind === 'keyId') return { kind, value: hex(data) };
  if (kind === 'ipv4' || kind === 'ipv6') {
    return data.length === (kind === 'ipv4' ? 4 : 16) ? { kind, value: formatIp(data) } : null;
  }
  return { kind, value: Buffer.from(data).toString('utf8') };
}

export function isIdentity(identification: Identification, identity: Identity): boolean {
  const expected = identificationOf(identity).body;
  return identification.body[0] === expected[0] && sameBytes(identification.body.subarray(4), expected.subarray(4));
}

/** A key for tables of identities: type and octets, nothing that two different identities share. */
export function identityKey(identification: Identification): string {
  return `${identification.body[0] ?? 0}:${hex(identification.body.subarray(4))}`;
}
