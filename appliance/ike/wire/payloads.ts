import { DecodeError, type Reader, Writer } from '../../lib/bytes.ts';
import type { Selector } from '../../lib/net.ts';
import { type PayloadName, payloadTypes } from '../numbers.ts';
import { type Authentication, decodeAuthentication, encodeAuthentication } from './authentication.ts';
import { type CertificateData, decodeCertificateData, encodeCertificateData } from './certificate.ts';
import { type Configuration, decodeConfiguration, encodeConfiguration } from './configuration.ts';
import { type Delete, decodeDelete, encodeDelete } from './delete.ts';
import { decodeIdentification, encodeIdentification, type Identification } from './identification.ts';
import { decodeKeyExchange, encodeKeyExchange, type KeyExchangeData } from './key-exchange.ts';
import { decodeNonce } from './nonce.ts';
import { decodeNotify, encodeNotify, type Notify } from './notify.ts';
import { decodeProposals, encodeProposals, type Proposal } from './proposal.ts';
import { decodeSelectors, encodeSelectors } from './traffic-selectors.ts';

/*
 * RFC 7296 3.2: payloads are a chain; each names the type of the next.
 *
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * | Next Payload  |C|  RESERVED   |         Payload Length        |
 */
const criticalBit = 0x80;

/** Real messages have fewer than 30; bounds the work that one datagram can cause. */
const maxPayloads = 100;

/** The body of each payload that moat reads. Those it only tolerates (EAP, ...) are plain octets. */
export interface Bodies {
  SA: readonly Proposal[];
  KE: KeyExchangeData;
  IDi: Identification;
  IDr: Identification;
  CERT: CertificateData;
  CERTREQ: CertificateData;
  AUTH: Authentication;
  Nonce: Uint8Array;
  N: Notify;
  D: Delete;
  CP: Configuration;
  TSi: readonly Selector[];
  TSr: readonly Selector[];
}
type Read = keyof Bodies;
type Tolerated = Exclude<PayloadName, Read>;

export type Payload =
  | { [Name in Read]: { readonly type: Name; readonly body: Bodies[Name] } }[Read]
  | { readonly type: Tolerated; readonly body: Uint8Array }
  /** A number that the registry did not have when this was written. */
  | { readonly type: 'unknown'; readonly number: number; readonly critical: boolean };

interface Codec<Body> {
  decode(reader: Reader): Body;
  encode(body: Body): Uint8Array;
}
const codecs: { readonly [Name in Read]: Codec<Bodies[Name]> } = {
  SA: { decode: decodeProposals, encode: encodeProposals },
  KE: { decode: decodeKeyExchange, encode: encodeKeyExchange },
  IDi: { decode: decodeIdentification, encode: encodeIdentification },
  IDr: { decode: decodeIdentification, encode: encodeIdentification },
  CERT: { decode: decodeCertificateData, encode: encodeCertificateData },
  CERTREQ: { decode: decodeCertificateData, encode: encodeCertificateData },
  AUTH: { decode: decodeAuthentication, encode: encodeAuthentication },
  Nonce: { decode: decodeNonce, encode: (nonce) => nonce },
  N: { decode: decodeNotify, encode: encodeNotify },
  D: { decode: decodeDelete, encode: encodeDelete },
  CP: { decode: decodeConfiguration, encode: encodeConfiguration },
  TSi: { decode: decodeSelectors, encode: encodeSelectors },
  TSr: { decode: decodeSelectors, encode: encodeSelectors },
};
const names = new Map<number, PayloadName>(
  Object.entries(payloadTypes).map(([name, number]) => [number, name as PayloadName]),
);

/** @throws {DecodeError} */
export function decodePayloads(first: number, reader: Reader): Payload[] {
  const payloads: Payload[] = [];
  let type = first;
  while (type !== 0) {
    if (payloads.length === maxPayloads) throw new DecodeError(`more than ${maxPayloads} payloads`);
    const next = reader.u8();
    const critical = (reader.u8() & criticalBit) !== 0;
    payloads.push(decodePayload(type, critical, reader.sub(reader.u16() - 4)));
    type = next;
  }
  if (reader.remaining > 0) throw new DecodeError('octets behind the last payload');
  return payloads;
}

function decodePayload(number: number, critical: boolean, reader: Reader): Payload {
  const name = names.get(number);
  if (name === undefined) return { type: 'unknown', number, critical };
  const codec = (codecs as Partial<Record<PayloadName, Codec<unknown>>>)[name];
  return { type: name, body: codec ? codec.decode(reader) : reader.rest() } as Payload;
}

/** The chain and the type of its first payload, 0 for an empty one. */
export function encodePayloads(payloads: readonly Payload[]): { first: number; bytes: Uint8Array } {
  const writer = new Writer();
  payloads.forEach((payload, i) => {
    const body = encodeBody(payload);
    const next = payloads[i + 1];
    writer
      .u8(next ? numberOf(next) : 0)
      .u8(0)
      .u16(4 + body.length)
      .bytes(body);
  });
  return { first: payloads[0] ? numberOf(payloads[0]) : 0, bytes: writer.finish() };
}

function numberOf(payload: Payload): number {
  return payload.type === 'unknown' ? payload.number : payloadTypes[payload.type];
}

function encodeBody(payload: Payload): Uint8Array {
  if (payload.type === 'unknown') return new Uint8Array();
  const codec = (codecs as Partial<Record<PayloadName, Codec<unknown>>>)[payload.type];
  return codec ? codec.encode(payload.body) : (payload.body as Uint8Array);
}

/** The body of the first payload of that type. */
export function find<Name extends Read>(payloads: readonly Payload[], name: Name): Bodies[Name] | null {
  const payload = payloads.find((each) => each.type === name);
  return payload && 'body' in payload ? (payload.body as Bodies[Name]) : null;
}

export function notifies(payloads: readonly Payload[]): Notify[] {
  return payloads.flatMap((payload) => (payload.type === 'N' ? [payload.body] : []));
}
