import { DecodeError } from '../../lib/bytes.ts';
import { decodeMessage, type Message } from './wire/message.ts';
import { lower, type Name } from './wire/name.ts';
import { Class, Flag, Opcode, Rcode, Type } from './wire/numbers.ts';
import { soaOf } from './wire/rdata.ts';
import { signedKeyName, signMessage, type TsigKey, verifyRequest } from './wire/tsig.ts';
import { MessageWriter } from './wire/writer.ts';

/** What NOTIFY needs to know of a secondary zone: who its primaries are and which keys they have. */
export interface NotifyZone {
  readonly primaries: readonly { readonly address: string; readonly key?: TsigKey | undefined }[];
}

export interface Notified {
  readonly answer: Buffer;
  /** The zone to refresh, and the serial that the primary has if it says so; absent when the NOTIFY is refused. */
  readonly zone?: { readonly origin: Name; readonly serial?: number };
}

/**
 * RFC 1996. Believed is what comes from the address of a primary, or is signed with a primary's key (servers with
 * several addresses choose any); a wrong signature never. An unsigned one from the right address is enough: all it can
 * do is to make us ask a primary, and that answer is signed.
 * @returns `undefined` for what deserves no answer.
 */
export function readNotify(
  bytes: Buffer,
  from: string,
  zones: ReadonlyMap<Name, NotifyZone>,
  wallSeconds: number,
): Notified | undefined {
  const message = decoded(bytes);
  const question = message?.questions[0];
  if (!message || !question || question.type !== Type.SOA || question.class !== Class.IN) return undefined;
  const origin = lower(question.name);
  const primaries = zones.get(origin)?.primaries ?? [];
  const known = primaries.some(({ address }) => address === from);
  const keys = primaries.flatMap(({ key }) => (key ? [key] : []));
  const signature = message.tsigAt === undefined ? undefined : signatureOf(bytes, message.tsigAt, keys, wallSeconds);
  if (!known && (signature === undefined || signature === 'wrong')) return undefined;
  if (signature === 'wrong') return { answer: response(message, Rcode.NOTAUTH) };
  const plain = response(message, Rcode.NOERROR);
  const answer = signature ? signMessage(plain, signature.key, wallSeconds, signature.mac).bytes : plain;
  const soa = message.answers.find((rr) => rr.type === Type.SOA && rr.owner === origin);
  return { answer, zone: { origin, ...(soa && { serial: soaOf(soa.rdata).serial }) } };
}

function decoded(bytes: Buffer): Message | undefined {
  try {
    const message = decodeMessage(bytes);
    return message.flags & Flag.QR ? undefined : message;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function signatureOf(
  bytes: Buffer,
  tsigAt: number,
  keys: readonly TsigKey[],
  wallSeconds: number,
): { key: TsigKey; mac: string } | 'wrong' {
  const key = keys.find(({ name }) => name === signedKeyName(bytes, tsigAt));
  if (!key) return 'wrong';
  const verified = verifyRequest(bytes, tsigAt, key, wallSeconds);
  return 'mac' in verified ? { key, mac: verified.mac } : 'wrong';
}

function response(message: Message, rcode: number): Buffer {
  const writer = new MessageWriter(message.id, Flag.QR | Flag.AA | (Opcode.NOTIFY << 11) | rcode);
  for (const { name, type, class: klass } of message.questions) writer.question(name, type, klass);
  return writer.finish();
}
