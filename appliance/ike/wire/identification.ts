import { concat, DecodeError, fromHex, hex, type Reader } from '../../lib/bytes.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Identity } from '../api.ts';
import { nameKey, nameText, parseName } from '../x509/name.ts';

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

const kinds: Readonly<Record<Identity['kind'], number>> = { ipv4: 1, fqdn: 2, rfc822: 3, ipv6: 5, dn: 9, keyId: 11 };
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
  if (identity.kind === 'dn') return parseName(identity.value);
  return new Uint8Array(Buffer.from(identity.value, 'utf8'));
}

/** @throws {TypeError} or {DecodeError} when the value is no address, no name or no hexadecimal: a mistake of the configuration. */
export function identificationOf(identity: Identity): Identification {
  return { body: concat(Uint8Array.of(kinds[identity.kind], 0, 0, 0), identityData(identity)) };
}

/** For reports only; null for a type or an address length that no `Identity` has. */
export function identityOf(identification: Identification): Identity | null {
  const kind = kindOf.get(identification.body[0] ?? 0);
  const data = identification.body.subarray(4);
  if (kind === undefined || data.length === 0) return null;
  if (kind === 'keyId') return { kind, value: hex(data) };
  if (kind === 'dn') return nameOr(data, null, (name) => ({ kind, value: nameText(name) }));
  if (kind === 'ipv4' || kind === 'ipv6') {
    return data.length === (kind === 'ipv4' ? 4 : 16) ? { kind, value: formatIp(data) } : null;
  }
  return { kind, value: Buffer.from(data).toString('utf8') };
}

/** `otherwise` for octets that are no name. */
function nameOr<To>(octets: Uint8Array, otherwise: To, read: (name: Uint8Array) => To): To {
  try {
    return read(octets);
  } catch (error) {
    if (error instanceof DecodeError) return otherwise;
    throw error;
  }
}

export function isIdentity(identification: Identification, identity: Identity): boolean {
  return identityKey(identification) === identityKey(identificationOf(identity));
}

/** A key for tables of identities: type and octets, nothing that two different identities share. Names are compared by RFC 5280 7.1. */
export function identityKey(identification: Identification): string {
  const [type = 0] = identification.body;
  const data = identification.body.subarray(4);
  return `${type}:${type === kinds.dn ? nameOr(data, hex(data), nameKey) : hex(data)}`;
}
