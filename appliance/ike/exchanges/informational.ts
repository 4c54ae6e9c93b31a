import { answer, owns, saKey, sendRequest, spend, withNextId } from '../channel.ts';
import { crashToken, tokenIn } from '../crash.ts';
import { afterLoss, amendChild, type Child, removeChild } from '../family.ts';
import { notifyName, notifyTypes, protocols } from '../numbers.ts';
import type { Closed, Closing, Established, Incoming, Spent } from '../states.ts';
import { rekeyOf, withGone } from '../tasks.ts';
import type { Turn } from '../turn.ts';
import { isError, type Notify } from '../wire/notify.ts';
import { notifies, type Payload } from '../wire/payloads.ts';
import { echoes, respondUpdate } from './mobike.ts';
import { redirectIn, respondRedirect } from './redirect.ts';
import { handOver } from './respond-ike.ts';
import { respondTicket } from './session-resume.ts';

/* INFORMATIONAL, RFC 7296 1.4 and 1.5: deletes, and the question whether the peer is alive. */

/** An empty request; the answer, whatever is in it, is the sign of life. */
export function beginLiveness(state: Established, turn: Turn): Established {
  const sent = sendRequest(state, 'INFORMATIONAL', [], turn);
  return { ...state, requests: withNextId(state.requests), task: { kind: 'liveness', sent } };
}

/** RFC 6290 4.4: our token of an SA that our rekey made. */
export function beginToken(state: Established, turn: Turn): Established {
  const payloads = crashToken(turn.world.options.crashSecret, state.channel);
  const sent = sendRequest(state, 'INFORMATIONAL', payloads, turn);
  return { ...state, tokenWanted: false, requests: withNextId(state.requests), task: { kind: 'told', sent } };
}

/** Deletes all children that are ours to delete, in one message; the payload names our inbound SPIs. */
export function beginChildDelete(state: Established, turn: Turn): Established {
  const wanted = state.family.children.filter((child) => child.phase === 'deleteWanted');
  for (const child of wanted) amendChild(state.family, child.spiIn, { phase: 'deleting' });
  const spis = wanted.map((child) => child.spiIn);
  const sent = sendRequest(state, 'INFORMATIONAL', [{ type: 'D', body: { protocol: protocols.ESP, spis } }], turn);
  return { ...state, requests: withNextId(state.requests), task: { kind: 'delete', sent } };
}

/** The peer has deleted its half of what we deleted; which SPIs it names says nothing new. */
export function onChildDeleteAnswer(state: Established, turn: Turn): Established {
  const deleted = state.family.children.filter((child) => child.phase === 'deleting');
  for (const child of deleted) removeChild(state.family, child, turn);
  for (const tunnel of new Set(deleted.map((child) => child.tunnel))) afterLoss(state, tunnel, turn);
  return state;
}

export function respondInformational<State extends Established | Closing>(
  state: State,
  message: Incoming,
  turn: Turn,
): State | Spent | Closed {
  const deletes = message.payloads.flatMap((payload) => (payload.type === 'D' ? [payload.body] : []));
  if (deletes.some(({ protocol }) => protocol === protocols.IKE)) return onIkeDelete(state, message, turn);
  const fatal = notifies(message.payloads).find(isFatal);
  if (fatal !== undefined) return onFatal(state, message, fatal, turn);
  const asked = notifies(message.payloads);
  if (state.name === 'established' && state.mobike && asked.some(isUpdate)) {
    return respondUpdate(state, message, turn) as State;
  }
  if (state.name === 'established') {
    const gateway = state.caller && state.peer.followRedirects === true ? redirectIn(message.payloads) : null;
    if (gateway !== null) return respondRedirect(state, message, gateway, turn) as State;
    const granted = respondTicket(state, message, turn);
    if (granted !== null) return granted as State;
    const token = tokenIn(asked);
    if (token !== null) return { ...answer(state, message, [], turn), crashToken: token };
  }
  const spis = deletes.filter(({ protocol }) => protocol === protocols.ESP).flatMap((each) => each.spis);
  const paired = deleteChildren(state, spis, turn);
  const noted = state.name === 'established' ? withUnknown(state, spis, paired.length) : state;
  const payloads: Payload[] = paired.length > 0 ? [{ type: 'D', body: { protocol: protocols.ESP, spis: paired } }] : [];
  payloads.push(...echoes(message));
  return answer(noted as State, message, payloads, turn);
}

/** A DELETE that overtakes the answer which makes its SA (nothing in RFC 7296 forbids it) is not to be forgotten. */
function withUnknown(state: Established, spis: readonly number[], known: number): Established {
  return state.task === null || spis.length === known ? state : { ...state, task: withGone(state.task, spis) };
}

function onIkeDelete(state: Established | Closing, message: Incoming, turn: Turn): Spent | Closed {
  const answered = answer(state, message, [], turn);
  const { heir } = state.family;
  const own = saKey(state.channel);
  if (heir === own)
    state.family.heir = null; // it lost, and its maker takes it back
  else if (heir !== null && state.name === 'established' && owns(state)) handOver(state, heir, turn);
  return spend(answered, { failure: 'peerClosed', detail: 'the peer deleted the IKE SA' }, turn);
}

function isUpdate({ notify }: Notify): boolean {
  return notify === notifyTypes.UPDATE_SA_ADDRESSES;
}

/** RFC 7296 2.21.2 and 2.21.3: errors after which the SA is gone at the other end. */
function isFatal(notify: Notify): boolean {
  return (
    isError(notify) &&
    (notify.notify === notifyTypes.AUTHENTICATION_FAILED || notify.notify === notifyTypes.INVALID_SYNTAX)
  );
}

function onFatal(state: Established | Closing, message: Incoming, notify: Notify, turn: Turn): Spent | Closed {
  const failure = notify.notify === notifyTypes.AUTHENTICATION_FAILED ? 'authenticationFailed' : 'peerRefused';
  return spend(answer(state, message, [], turn), { failure, detail: notifyName(notify.notify) }, turn);
}

/** Removes what the peer names, and gives the SPIs of the other direction (RFC 7296 1.4.1). */
function deleteChildren(state: Established | Closing, spis: readonly number[], turn: Turn): number[] {
  const { family } = state;
  const named = new Set(spis);
  const found = family.children.filter((child) => named.has(child.spiOut));
  // What we are deleting as well is answered by nothing: each end takes its own request for done.
  const removed = found.filter((child) => child.phase !== 'deleting');
  for (const child of removed) removeChild(family, child, turn);
  for (const child of removed) afterRemoval(state, child, turn);
  return removed.map((child) => child.spiIn);
}

/** Our own rekey of a child that the peer deletes goes on: its result is the tunnel's next SA. */
function afterRemoval(state: Established | Closing, child: Child, turn: Turn): void {
  const task = state.name === 'established' && state.task ? rekeyOf(state.task) : null;
  if (task?.kind === 'child' && task.replaces === child.spiIn) return;
  afterLoss(state, child.tunnel, turn);
}
