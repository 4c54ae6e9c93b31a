import { DecodeError } from '../../../lib/bytes.ts';
import { decodeMessage, type Message, rcodeOf } from '../wire/message.ts';
import { lower, type Name } from '../wire/name.ts';
import { Class, Flag, Rcode, Type } from '../wire/numbers.ts';
import { soaOf } from '../wire/rdata.ts';
import { signMessage, type TsigKey, TsigVerifier } from '../wire/tsig.ts';
import { MessageWriter } from '../wire/writer.ts';
import { findSet } from '../zone/packed.ts';
import { nodeAt, type Zone } from '../zone/zone.ts';
import { stepTransfer, type TransferContext, type TransferState } from './transfer.ts';

export type RequestType = 'SOA' | 'IXFR' | 'AXFR';

export interface Asking {
  readonly request: RequestType;
  readonly id: number;
  readonly verifier: TsigVerifier | undefined;
  readonly transfer: TransferState;
}

interface Request {
  readonly origin: Name;
  readonly request: RequestType;
  readonly id: number;
  readonly zone: Zone | undefined;
  readonly key: TsigKey | undefined;
}

/** The request to a primary, signed if there is a key. `wallSeconds`: time of day since 1970. */
export function writeRequest(
  request: Request,
  wallSeconds: number,
): { bytes: Buffer; verifier: TsigVerifier | undefined } {
  const writer = new MessageWriter(request.id, 0);
  writer.question(request.origin, Type[request.request], Class.IN);
  const apex = (request.zone && nodeAt(request.zone, request.origin)) ?? [];
  const soa = findSet(apex, Type.SOA);
  // RFC 1995 3: IXFR says in its authority section which version we have.
  if (request.request === 'IXFR' && soa) {
    writer.record(2, {
      owner: request.origin,
      type: Type.SOA,
      class: Class.IN,
      ttl: soa.ttl,
      rdata: soa.rdatas[0] ?? '',
    });
  }
  const bytes = writer.finish();
  if (!request.key) return { bytes, verifier: undefined };
  const signed = signMessage(bytes, request.key, wallSeconds);
  return { bytes: signed.bytes, verifier: new TsigVerifier(request.key, signed.mac) };
}

export type Reply =
  | { readonly kind: 'more'; readonly asking: Asking }
  | { readonly kind: 'serial'; readonly serial: number }
  | { readonly kind: 'current' }
  | { readonly kind: 'zone'; readonly zone: Zone; readonly incremental: boolean }
  | { readonly kind: 'problem'; readonly problem: string };

/** What one message of a primary means for what we asked. Never throws: whatever is wrong is a `problem`. */
export function readReply(asking: Asking, bytes: Buffer, context: TransferContext, wallSeconds: number): Reply {
  try {
    const message = decodeMessage(bytes);
    const forged = asking.verifier?.verify(bytes, message.tsigAt, wallSeconds);
    const problem = forged ?? wrongWith(message, asking, context.origin);
    if (problem !== undefined) return { kind: 'problem', problem };
    return asking.request === 'SOA' ? readSerial(message, context.origin) : readTransfer(message, asking, context);
  } catch (error) {
    if (error instanceof DecodeError) return { kind: 'problem', problem: error.message };
    throw error;
  }
}

const rcodeNames = Object.fromEntries(Object.entries(Rcode).map(([name, code]) => [code, name]));

function wrongWith(message: Message, asking: Asking, origin: Name): string | undefined {
  if (message.id !== asking.id || (message.flags & Flag.QR) === 0) return 'an answer to something that we did not ask';
  const rcode = rcodeOf(message);
  if (rcode !== Rcode.NOERROR) return `the primary says ${rcodeNames[rcode] ?? `rcode ${rcode}`}`;
  if (message.flags & Flag.TC) return 'a truncated answer over TCP';
  // RFC 5936 2.2.1: later messages of a transfer may leave the question out.
  const question = message.questions[0];
  if (question && (lower(question.name) !== origin || question.type !== Type[asking.request])) {
    return 'an answer to another question';
  }
  return undefined;
}

function readSerial(message: Message, origin: Name): Reply {
  const soa = message.answers.find((rr) => rr.type === Type.SOA && rr.owner === origin);
  if (!soa) return { kind: 'problem', problem: 'the primary does not have the zone' };
  if ((message.flags & Flag.AA) === 0) return { kind: 'problem', problem: 'the primary is not authoritative' };
  return { kind: 'serial', serial: soaOf(soa.rdata).serial };
}

function readTransfer(message: Message, asking: Asking, context: TransferContext): Reply {
  const transfer = stepTransfer(asking.transfer, message.answers, context);
  if (transfer.name !== 'done') return { kind: 'more', asking: { ...asking, transfer } };
  // RFC 8945 5.3.1: the last message of a stream must be signed.
  if (asking.verifier && !asking.verifier.complete) return { kind: 'problem', problem: 'the end is not signed' };
  if (transfer.result === 'current') return { kind: 'current' };
  return { kind: 'zone', zone: transfer.zone, incremental: transfer.incremental };
}
