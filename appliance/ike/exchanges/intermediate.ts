import { concat, Writer } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import { openChannel, sendMessage } from '../channel.ts';
import { encapsulateTo, generateKemKey } from '../crypto/kem.ts';
import { rekeyedIkeKeys, wipeKeys } from '../crypto/keys.ts';
import { prfOf } from '../crypto/prf.ts';
import { additionalId } from '../negotiate.ts';
import { notifyName, payloadTypes } from '../numbers.ts';
import { firstRetry, newSaSeconds } from '../retransmit.ts';
import type { Authentic, AuthSent, Channel, Closed, InitAnswered, IntermediateSent, Nonces, Spent } from '../states.ts';
import type { Turn } from '../turn.ts';
import { headerLength } from '../wire/header.ts';
import { isError, notifyOf } from '../wire/notify.ts';
import { encodePayloads, find, notifies, type Payload } from '../wire/payloads.ts';
import { type Agreement, pathFrom } from './auth.ts';
import { beginAuth } from './auth-initiator.ts';
import { refuseWith } from './auth-responder.ts';
import { fail } from './sa-init.ts';

/*
 * IKE_INTERMEDIATE, RFC 9242, with the additional key exchange of RFC 9370 2.2.2: ML-KEM-768 is too long for
 * IKE_SA_INIT, which can never be fragmented. Its shared secret goes into a new set of keys, and both messages go into
 * what AUTH covers.
 */

const messageId = 1;

export function beginIntermediate(agreement: Agreement, turn: Turn): IntermediateSent {
  const { state, channel, nat, nonces, initAnswer } = agreement;
  const { peer, request } = state;
  const path = pathFrom(state.sent.path, nat, peer, turn);
  const key = generateKemKey(turn.random);
  const payloads: Payload[] = [{ type: 'KE', body: { group: additionalId, data: key.publicValue } }];
  const head = { exchange: 'IKE_INTERMEDIATE', messageId, response: false } as const;
  const datagrams = sendMessage(channel, head, payloads, { path, turn });
  const retry = { ...firstRetry(turn, newSaSeconds), giveUpAt: state.sent.retry.giveUpAt };
  const sent = { datagrams, messageId, path, retry };
  const covered = coveredBy(channel.keys.pi, channel, firstDatagram(datagrams), encodePayloads(payloads));
  return { name: 'intermediateSent', peer, request, channel, path, nat, nonces, initAnswer, key, covered, sent };
}

function firstDatagram(datagrams: readonly Uint8Array[]): Uint8Array {
  const [first] = datagrams;
  if (first === undefined) throw new RangeError('a message without a datagram');
  return first;
}

interface Inner {
  readonly first: number;
  readonly bytes: Uint8Array;
}

/**
 * RFC 9242 3.3.2: prf(SK_p, header | payload header | payloads), as if the message had neither been fragmented nor
 * encrypted: lengths count no IV, padding and checksum.
 */
function coveredBy(key: Secret, channel: Channel, message: Uint8Array, inner: Inner): Uint8Array {
  const writer = new Writer().bytes(message.subarray(0, headerLength));
  const length = 4 + inner.bytes.length;
  writer
    .u8(inner.first)
    .u8(message[headerLength + 1] ?? 0)
    .u16(length);
  writer.patchU32(24, headerLength + length);
  const octets = writer.bytes(inner.bytes).finish();
  octets[16] = payloadTypes.SK; // where a fragment has its own type
  return prfOf(channel.suite.prf, key.reveal(), octets);
}

function rekeyed(channel: Channel, nonces: Nonces, shared: Secret): Channel {
  const { suite, spiInitiator, spiResponder } = channel;
  const spis = { initiator: spiInitiator, responder: spiResponder };
  // RFC 9370 2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), which is the form of a rekey.
  const keys = rekeyedIkeKeys({ suite, nonces, spis, shared, additional: [] }, { prf: suite.prf, d: channel.keys.d });
  const next = openChannel({ ...channel, keys, quantumSafe: suite.additionalKeyExchange });
  wipeKeys(channel.keys);
  return next;
}

/** The octets that AUTH covers in addition: both values and the message id of IKE_AUTH. */
function intAuth(initiator: Uint8Array, responder: Uint8Array): Uint8Array {
  return concat(initiator, responder, new Writer().u32(messageId + 1).finish());
}

/** The responder. */
export function respondIntermediate(state: InitAnswered, message: Authentic, turn: Turn): InitAnswered | Spent {
  const ke = find(message.payloads, 'KE');
  const encapsulated = ke?.group === additionalId ? encapsulateTo(ke.data) : null;
  if (encapsulated === null) return refuseWith(state, message, notifyOf('INVALID_SYNTAX'), turn);
  const { channel } = state;
  const payloads: Payload[] = [{ type: 'KE', body: { group: additionalId, data: encapsulated.ciphertext } }];
  const head = { exchange: 'IKE_INTERMEDIATE', messageId, response: true } as const;
  const datagrams = sendMessage(channel, head, payloads, { path: message.path, turn });
  const { first, chain } = message.inner;
  const fromInitiator = coveredBy(channel.keys.pi, channel, message.bytes, { first, bytes: chain });
  const fromResponder = coveredBy(channel.keys.pr, channel, firstDatagram(datagrams), encodePayloads(payloads));
  return {
    ...state,
    channel: rekeyed(channel, state.nonces, encapsulated.shared),
    answered: { request: message.bytes, answer: datagrams },
    expected: messageId + 1,
    intAuth: intAuth(fromInitiator, fromResponder),
  };
}

/** The initiator reads the answer. */
export function onIntermediateAnswer(state: IntermediateSent, message: Authentic, turn: Turn): AuthSent | Closed {
  const { channel, nonces, covered } = state;
  const ke = find(message.payloads, 'KE');
  const shared = ke?.group === additionalId ? state.key.decapsulate(ke.data) : null;
  if (shared === null) {
    const error = notifies(message.payloads).find(isError);
    const failure = error ? 'peerRefused' : 'invalidAnswer';
    wipeKeys(channel.keys);
    const detail = error ? notifyName(error.notify) : 'IKE_INTERMEDIATE without the agreed key exchange';
    return fail(state.peer, { failure, detail }, state.path, turn);
  }
  const { first, chain } = message.inner;
  const fromResponder = coveredBy(channel.keys.pr, channel, message.bytes, { first, bytes: chain });
  const next = rekeyed(channel, nonces, shared);
  const agreement = { ...state, state, channel: next };
  return beginAuth(agreement, { messageId: messageId + 1, intAuth: intAuth(covered, fromResponder) }, turn);
}
