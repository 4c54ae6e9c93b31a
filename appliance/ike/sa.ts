import { DecodeError, Reader, sameBytes } from '../lib/bytes.ts';
import { answer, drop, heard, sendDelete, sendMessage, spend } from './channel.ts';
import { wipeKeys } from './crypto/keys.ts';
import { failAuth, onAuthAnswer } from './exchanges/auth-initiator.ts';
import { refuseWith, respondAuth } from './exchanges/auth-responder.ts';
import { respondCreateChild } from './exchanges/create-child.ts';
import { onFollowUpAnswer, respondFollowUp } from './exchanges/followup-ke.ts';
import { onChildDeleteAnswer, respondInformational } from './exchanges/informational.ts';
import { onIntermediateAnswer, respondIntermediate } from './exchanges/intermediate.ts';
import { onCheckAnswer, onUpdateAnswer } from './exchanges/mobike.ts';
import { onChildAnswer } from './exchanges/rekey-child.ts';
import { onIkeAnswer } from './exchanges/rekey-ike.ts';
import { fail, onInitAnswer } from './exchanges/sa-init.ts';
import { keepTicket, onResumeAnswer } from './exchanges/session-resume.ts';
import { exchangeTypes, protocols } from './numbers.ts';
import { statusRefusals, type Violation, violation } from './rules.ts';
import {
  type Authentic,
  type AuthSent,
  type Closing,
  closed,
  type Established,
  type IkeState,
  type Incoming,
  type InitAnswered,
  type InitSent,
  type IntermediateSent,
  type Requests,
  type ResumeSent,
} from './states.ts';
import type { Turn } from './turn.ts';
import { headerLength } from './wire/header.ts';
import { type Notify, notifyOf } from './wire/notify.ts';
import { decodePayloads, notifies, type Payload } from './wire/payloads.ts';

/* From the datagram to the exchange: RFC 7296 2.2 message ids, 2.3 window 1, 2.21 errors in messages. */

const { IKE_SA_INIT, IKE_SESSION_RESUME, IKE_INTERMEDIATE, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE } =
  exchangeTypes;

/** What a state listens to; everything else is dropped before a payload of it is looked at. */
const listens: Readonly<
  Record<IkeState['name'], { readonly requests: readonly number[]; readonly responses: readonly number[] }>
> = {
  initSent: { requests: [], responses: [IKE_SA_INIT] },
  resumeSent: { requests: [], responses: [IKE_SESSION_RESUME] },
  intermediateSent: { requests: [], responses: [IKE_INTERMEDIATE] },
  initAnswered: { requests: [IKE_SA_INIT, IKE_SESSION_RESUME, IKE_INTERMEDIATE, IKE_AUTH], responses: [] },
  authSent: { requests: [], responses: [IKE_AUTH] },
  established: {
    requests: [IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE],
    responses: [CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE],
  },
  closing: {
    requests: [CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE],
    responses: [CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE],
  },
  spent: { requests: [IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_FOLLOWUP_KE], responses: [] },
  closed: { requests: [], responses: [] },
};

/** A message whose header names this SA; its payloads are not decoded yet. */
export type Raw = Omit<Incoming, 'payloads'>;

export function receive(state: IkeState, message: Raw, turn: Turn): IkeState {
  const { header } = message;
  const accepted = listens[state.name][header.response ? 'responses' : 'requests'].includes(header.exchange);
  if (!accepted) return ignore(state, 'exchangeNotInThisState', turn);
  switch (state.name) {
    case 'initSent':
    case 'resumeSent':
      return receiveInit(state, message, turn);
    case 'initAnswered':
      return repeats(state.answered, message, turn) ? state : receiveHalfOpen(state, message, turn);
    case 'intermediateSent':
      return receiveIntermediateAnswer(state, message, turn);
    case 'authSent':
      return receiveAuthAnswer(state, message, turn);
    case 'spent':
      if (!repeats(state.answered, message, turn)) turn.world.count('messageForSpentSa');
      return state;
    case 'established':
    case 'closing':
      return header.response ? receiveAnswer(state, message, turn) : receiveRequest(state, message, turn);
    case 'closed':
      return state;
  }
}

function ignore<State>(state: State, reason: string, turn: Turn): State {
  turn.world.count(reason);
  return state;
}

/** The peer did not get our answer: it gets the same octets again, at the address that it asks from. */
function repeats(answered: Requests['answered'], message: Raw, turn: Turn): boolean {
  if (answered === null || !sameBytes(answered.request, message.bytes)) return false;
  turn.world.count('answeredAgain');
  for (const bytes of answered.answer) turn.emit({ kind: 'send', bytes, path: message.path });
  return true;
}

function receiveInit(state: InitSent | ResumeSent, raw: Raw, turn: Turn): IkeState {
  const { header } = raw;
  if (header.messageId !== 0 || header.fromInitiator) return ignore(state, 'wrongMessageId', turn);
  const payloads = decodePayloads(header.nextPayload, new Reader(raw.bytes.subarray(headerLength)));
  const message = { ...raw, payloads };
  if (violation(header, payloads) !== null) return ignore(state, 'payloadRules', turn);
  const refusal = notifies(payloads).some(({ notify }) => notify < 16384 || statusRefusals.includes(notify));
  const zero = header.spiResponder.every((octet) => octet === 0);
  if (!refusal && zero) return ignore(state, 'noResponderSpi', turn);
  return state.name === 'initSent' ? onInitAnswer(state, message, turn) : onResumeAnswer(state, message, turn);
}

type Keyed = InitAnswered | IntermediateSent | AuthSent | Established | Closing;

type Opening =
  | { readonly kind: 'message'; readonly message: Authentic }
  /** Authentic, but against the rules: the peer is told, or the exchange has failed. */
  | { readonly kind: 'violation'; readonly violation: Violation }
  /** Not from the peer, or only a part of something. */
  | { readonly kind: 'nothing'; readonly reason: string };

function open(state: Keyed, raw: Raw): Opening {
  const opened = state.channel.opener.open(raw.header, raw.bytes);
  if (opened === 'forged') return { kind: 'nothing', reason: 'notAuthentic' };
  if (opened === 'incomplete') return { kind: 'nothing', reason: 'fragmentKept' };
  const payloads = decodeAuthentic(opened.first, opened.chain);
  if (payloads instanceof DecodeError) {
    return { kind: 'violation', violation: { kind: 'syntax', detail: payloads.message } };
  }
  const broken = violation(raw.header, payloads);
  const { first, chain, bytes } = opened;
  if (broken) return { kind: 'violation', violation: broken };
  return { kind: 'message', message: { ...raw, bytes, payloads, inner: { first, chain } } };
}

/** Nonsense from an authenticated peer is an error of the exchange, not a datagram to drop. */
function decodeAuthentic(first: number, chain: Uint8Array): Payload[] | DecodeError {
  try {
    return decodePayloads(first, new Reader(chain));
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

function violationNotify(broken: Violation): Notify {
  if (broken.kind === 'syntax') return notifyOf('INVALID_SYNTAX');
  return notifyOf('UNSUPPORTED_CRITICAL_PAYLOAD', Uint8Array.of(broken.payloadType));
}

function receiveHalfOpen(state: InitAnswered, raw: Raw, turn: Turn): IkeState {
  // With an additional key exchange agreed, there is no way around it to IKE_AUTH.
  const pending = !state.channel.resumed && state.channel.suite.additionalKeyExchange !== null && state.expected === 1;
  const wanted = pending ? IKE_INTERMEDIATE : IKE_AUTH;
  if (raw.header.messageId !== state.expected || raw.header.exchange !== wanted) {
    return ignore(state, 'wrongMessageId', turn);
  }
  const opened = open(state, raw);
  if (opened.kind === 'nothing') return ignore(state, opened.reason, turn);
  if (opened.kind === 'message') {
    return pending ? respondIntermediate(state, opened.message, turn) : respondAuth(state, opened.message, turn);
  }
  turn.world.count('payloadRules');
  return refuseWith(state, { ...raw, payloads: [] }, violationNotify(opened.violation), turn);
}

function receiveIntermediateAnswer(state: IntermediateSent, raw: Raw, turn: Turn): IkeState {
  if (raw.header.messageId !== state.sent.messageId) return ignore(state, 'wrongMessageId', turn);
  const opened = open(state, raw);
  if (opened.kind === 'nothing') return ignore(state, opened.reason, turn);
  if (opened.kind === 'message') return onIntermediateAnswer(state, opened.message, turn);
  wipeKeys(state.channel.keys);
  return fail(state.peer, { failure: 'invalidAnswer', detail: describe(opened.violation) }, state.path, turn);
}

function receiveAuthAnswer(state: AuthSent, raw: Raw, turn: Turn): IkeState {
  if (raw.header.messageId !== state.sent.messageId) return ignore(state, 'wrongMessageId', turn);
  const opened = open(state, raw);
  if (opened.kind === 'nothing') return ignore(state, opened.reason, turn);
  if (opened.kind === 'message') return onAuthAnswer(state, opened.message, turn);
  return failAuth(state, { failure: 'invalidAnswer', detail: describe(opened.violation) }, turn);
}

function describe(broken: Violation): string {
  return broken.kind === 'syntax' ? broken.detail : `critical payload ${broken.payloadType}`;
}

function receiveRequest(state: Established | Closing, raw: Raw, turn: Turn): IkeState {
  const { requests } = state;
  if (repeats(requests.answered, raw, turn)) return state;
  if (raw.header.messageId !== requests.expected) return ignore(state, 'wrongMessageId', turn);
  const opened = open(state, raw);
  if (opened.kind === 'nothing') return ignore(state, opened.reason, turn);
  if (opened.kind === 'violation') return onViolation(state, raw, opened.violation, turn);
  const { message } = opened;
  if (state.name === 'closing') return onRequestWhileClosing(state, message, turn);
  const alive = heard(state, message, turn);
  if (message.header.exchange === CREATE_CHILD_SA) return respondCreateChild(alive, message, turn);
  if (message.header.exchange === INFORMATIONAL) return respondInformational(alive, message, turn);
  if (message.header.exchange === IKE_FOLLOWUP_KE) return respondFollowUp(alive, message, turn);
  return answer(alive, message, [{ type: 'N', body: notifyOf('INVALID_SYNTAX') }], turn);
}

/** RFC 7296 2.21.3: bad syntax from an authenticated peer ends the SA; an unknown critical payload only the exchange. */
function onViolation(state: Established | Closing, raw: Raw, broken: Violation, turn: Turn): IkeState {
  turn.world.count('payloadRules');
  const told = answer(state, { ...raw, payloads: [] }, [{ type: 'N', body: violationNotify(broken) }], turn);
  if (broken.kind === 'unsupportedCritical') return told;
  return spend(told, { failure: 'invalidAnswer', detail: broken.detail }, turn);
}

function onRequestWhileClosing(state: Closing, message: Incoming, turn: Turn): IkeState {
  if (message.header.exchange === INFORMATIONAL) return respondInformational(state, message, turn);
  return answer(state, message, [{ type: 'N', body: notifyOf('TEMPORARY_FAILURE') }], turn);
}

function receiveAnswer(state: Established | Closing, raw: Raw, turn: Turn): IkeState {
  const awaited = state.name === 'closing' ? state.sent : state.task?.sent;
  if (awaited === undefined || raw.header.messageId !== awaited.messageId) return ignore(state, 'wrongMessageId', turn);
  const opened = open(state, raw);
  if (opened.kind === 'nothing') return ignore(state, opened.reason, turn);
  if (state.name === 'closing') return afterAnswerWhileClosing(state, turn);
  if (opened.kind === 'violation') {
    const detail = describe(opened.violation);
    tellDeleted(state, turn);
    return drop(state, { failure: 'invalidAnswer', detail }, turn);
  }
  return onAnswer(state, opened.message, turn);
}

/** A peer that answers nonsense is left, with one DELETE that nobody waits for (RFC 7296 2.21.3). */
function tellDeleted(state: Established, turn: Turn): void {
  const head = { exchange: 'INFORMATIONAL', messageId: state.requests.next, response: false } as const;
  const payloads: Payload[] = [{ type: 'D', body: { protocol: protocols.IKE, spis: [] } }];
  sendMessage(state.channel, head, payloads, { path: state.path, turn });
}

function afterAnswerWhileClosing(state: Closing, turn: Turn): IkeState {
  if (!state.deleteSent) return sendDelete(state, turn);
  wipeKeys(state.channel.keys);
  return closed;
}

function onAnswer(state: Established, message: Incoming, turn: Turn): IkeState {
  const { task } = state;
  const idle: Established = { ...heard(state, message, turn), task: null };
  switch (task?.kind) {
    case 'child':
      return onChildAnswer(idle, task, message, turn);
    case 'ike':
      return onIkeAnswer(idle, task, message, turn);
    case 'followUp':
      return onFollowUpAnswer(idle, task, message, turn);
    case 'update':
      return onUpdateAnswer(idle, message, turn);
    case 'check':
      return onCheckAnswer(idle, task, message, turn);
    case 'ticket':
      return { ...idle, ticketAt: keepTicket(idle, message, turn) };
    case 'delete':
      return onChildDeleteAnswer(idle, turn);
    default:
      return idle;
  }
}
