import { createHmac, timingSafeEqual } from 'node:crypto';
import { DecodeError } from '../../../lib/bytes.ts';
import type { Secret } from '../../../lib/secret.ts';
import { lower, type Name, nameFromText } from './name.ts';
import { Class, Type } from './numbers.ts';
import { u16Octets, u32Octets } from './rdata.ts';
import { MessageReader } from './reader.ts';

/** A key shared with a primary. HMAC-SHA-256 is the one algorithm that every server must have (RFC 8945 6). */
export interface TsigKey {
  readonly name: Name;
  readonly secret: Secret;
}

const tsigAlgorithm = nameFromText('hmac-sha256');
const fudgeSeconds = 300;
const macOctets = 32;

/** RFC 8945 4.2. `mac` and `other` are binary strings; `timeSigned` is in seconds since 1970. */
export interface Tsig {
  readonly keyName: Name;
  readonly algorithm: Name;
  readonly timeSigned: number;
  readonly fudge: number;
  readonly mac: string;
  readonly originalId: number;
  readonly error: number;
  readonly other: string;
}

/** The TSIG record that starts at `at`. @throws {DecodeError} */
export function decodeTsig(bytes: Buffer, at: number): Tsig {
  const reader = new MessageReader(bytes);
  reader.at = at;
  const keyName = lower(reader.name());
  if (reader.u16() !== Type.TSIG || reader.u16() !== Class.ANY) throw new DecodeError('no TSIG record');
  reader.u32();
  return reader.within(reader.u16(), () => {
    const algorithm = lower(reader.name());
    const timeSigned = reader.u16() * 2 ** 32 + reader.u32();
    const fudge = reader.u16();
    const mac = reader.octets(reader.u16());
    const originalId = reader.u16();
    const error = reader.u16();
    return { keyName, algorithm, timeSigned, fudge, mac, originalId, error, other: reader.octets(reader.u16()) };
  });
}

function u48Octets(value: number): string {
  return u16Octets(Math.floor(value / 2 ** 32)) + u32Octets(value % 2 ** 32);
}

/** RFC 8945 4.3.3: what is signed besides the message. */
function variables(tsig: Tsig): string {
  const times = u48Octets(tsig.timeSigned) + u16Octets(tsig.fudge);
  const klass = u16Octets(Class.ANY) + u32Octets(0);
  return (
    tsig.keyName + klass + tsig.algorithm + times + u16Octets(tsig.error) + u16Octets(tsig.other.length) + tsig.other
  );
}

/** RFC 8945 5.3.1: later messages of a stream carry the times only. */
function timers(tsig: Tsig): string {
  return u48Octets(tsig.timeSigned) + u16Octets(tsig.fudge);
}

function withLength(mac: string): string {
  return mac === '' ? '' : u16Octets(mac.length) + mac;
}

function hmac(key: TsigKey, parts: readonly (string | Buffer)[]): string {
  const digest = createHmac('sha256', key.secret.reveal());
  for (const part of parts) digest.update(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return digest.digest().toString('latin1');
}

/**
 * `message` with a TSIG record behind it, and its MAC. `requestMac` is that of the message this one answers ('' for
 * a request). `nowSeconds`: time of day since 1970.
 */
export function signMessage(
  message: Buffer,
  key: TsigKey,
  nowSeconds: number,
  requestMac = '',
): { bytes: Buffer; mac: string } {
  const unsigned: Tsig = {
    keyName: key.name,
    algorithm: tsigAlgorithm,
    timeSigned: nowSeconds,
    fudge: fudgeSeconds,
    mac: '',
    originalId: message.readUInt16BE(0),
    error: 0,
    other: '',
  };
  const mac = hmac(key, [withLength(requestMac), message, variables(unsigned)]);
  const bytes = Buffer.concat([message, Buffer.from(encodeTsig({ ...unsigned, mac }), 'latin1')]);
  bytes.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { bytes, mac };
}

function encodeTsig(tsig: Tsig): string {
  const rdata = `${tsig.algorithm}${timers(tsig)}${u16Octets(tsig.mac.length)}${tsig.mac}${u16Octets(tsig.originalId)}${u16Octets(tsig.error)}${u16Octets(tsig.other.length)}${tsig.other}`;
  return `${tsig.keyName}${u16Octets(Type.TSIG)}${u16Octets(Class.ANY)}${u32Octets(0)}${u16Octets(rdata.length)}${rdata}`;
}

/** RFC 8945 5.3.1: an unsigned run may be at most 99 messages long. */
const unsignedMessages = 99;

/**
 * Verifies the answers to one signed request, one or a stream (RFC 8945 5.3). `verify` gives `undefined` when the
 * message may be believed, or a sentence that says why it may not; `complete` whether the last one was signed.
 */
export class TsigVerifier {
  readonly #key: TsigKey;
  #priorMac: string;
  #first = true;
  #pending: Buffer[] = [];

  constructor(key: TsigKey, requestMac: string) {
    this.#key = key;
    this.#priorMac = requestMac;
  }

  get complete(): boolean {
    return !this.#first && this.#pending.length === 0;
  }

  /** `tsigAt` as `decodeMessage` found it. @throws {DecodeError} on a malformed TSIG record. */
  verify(bytes: Buffer, tsigAt: number | undefined, nowSeconds: number): string | undefined {
    if (tsigAt === undefined) return this.#unsigned(bytes);
    const tsig = decodeTsig(bytes, tsigAt);
    if (tsig.keyName !== this.#key.name) return 'signed with another key';
    if (tsig.algorithm !== tsigAlgorithm) return 'signed with another algorithm';
    // RFC 8945 5.4.3: such an answer is not signed, and must be told apart from a forged one.
    if (tsig.error !== 0 && tsig.mac === '') return `the primary refuses our signature: ${errorName(tsig.error)}`;
    const problem = this.#checkMac(stripped(bytes, tsigAt, tsig.originalId), tsig);
    if (problem !== undefined) return problem;
    // RFC 8945 5.2.3: the time only after the MAC; a signed BADTIME says that a clock is wrong, ours or theirs.
    if (tsig.error !== 0) return `the primary refuses our signature: ${errorName(tsig.error)}`;
    if (Math.abs(nowSeconds - tsig.timeSigned) > tsig.fudge) return 'signed at a time too far from our clock';
    return undefined;
  }

  #unsigned(bytes: Buffer): string | undefined {
    if (this.#first) return 'not signed';
    this.#pending.push(bytes);
    return this.#pending.length > unsignedMessages ? 'too many messages without a signature' : undefined;
  }

  #checkMac(message: Buffer, tsig: Tsig): string | undefined {
    const tail = this.#first ? variables(tsig) : timers(tsig);
    const expected = hmac(this.#key, [withLength(this.#priorMac), ...this.#pending, message, tail]);
    // Truncated MACs (RFC 8945 5.2.2.1) are not accepted: nobody who can configure this key needs them.
    if (tsig.mac.length !== macOctets) return `a MAC of ${tsig.mac.length} octets`;
    if (!timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(tsig.mac, 'latin1'))) return 'a wrong signature';
    this.#priorMac = tsig.mac;
    this.#first = false;
    this.#pending = [];
    return undefined;
  }
}

/** The message as it was before it was signed (RFC 8945 4.3.2). */
function stripped(bytes: Buffer, tsigAt: number, originalId: number): Buffer {
  const message = Buffer.from(bytes.subarray(0, tsigAt));
  message.writeUInt16BE(originalId, 0);
  message.writeUInt16BE(message.readUInt16BE(10) - 1, 10);
  return message;
}

/**
 * Checks one signed request (NOTIFY). @returns its MAC for the answer, or a sentence that says what is wrong.
 */
export function verifyRequest(
  bytes: Buffer,
  tsigAt: number,
  key: TsigKey,
  nowSeconds: number,
): { mac: string } | { problem: string } {
  const verifier = new TsigVerifier(key, '');
  const problem = verifier.verify(bytes, tsigAt, nowSeconds);
  return problem === undefined ? { mac: decodeTsig(bytes, tsigAt).mac } : { problem };
}

function errorName(error: number): string {
  const names: Readonly<Record<number, string>> = { 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' };
  return names[error] ?? `error ${error}`;
}

export function signedKeyName(bytes: Buffer, tsigAt: number): Name {
  return decodeTsig(bytes, tsigAt).keyName;
}
