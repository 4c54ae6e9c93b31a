import type { Secret } from '../../lib/secret.ts';
import type { KeyExchange } from '../api.ts';
import { beginClosing, owns, saKey, sendRequest, withNextId } from '../channel.ts';
import { tokenIn } from '../crash.ts';
import { generateKeyPair } from '../crypto/key-exchange.ts';
import { acceptIke, offerIke } from '../negotiate.ts';
import { notifyName } from '../numbers.ts';
import { between } from '../retransmit.ts';
import type { Closing, Established, Incoming } from '../states.ts';
import type { TaskOf } from '../tasks.ts';
import type { Turn } from '../turn.ts';
import { isError, type Notify } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { nonceLength } from './auth.ts';
import { type IkeDraft, successorOf } from './drafts.ts';
import { beginFollowUp } from './followup-ke.ts';
import { agreed, firstMethod, keyExchangePayload, losesTo, nextStep, otherGroup } from './rekey.ts';
import { handOver, retire } from './respond-ike.ts';

/*
 * The initiator of CREATE_CHILD_SA for the IKE SA itself, RFC 7296 1.3.2 and 2.18. The new SA inherits the family of the old one,
 * which whoever began deletes. If both began, 2.8.1 chooses by the lowest nonce: the SA of that exchange is deleted by
 * its maker; until our own answer is there, the peer's SA is the family's heir.
 */

export function beginIkeRekey(state: Established, turn: Turn): Established {
  const method = firstMethod(state.peer.ike.keyExchanges, state.channel.suite.keyExchange);
  return method === null ? state : sendIkeRekey(state, method, turn);
}

function sendIkeRekey(state: Established, method: KeyExchange, turn: Turn): Established {
  const spi = turn.world.newIkeSpi(turn);
  const nonce = turn.random(nonceLength);
  const keyPair = generateKeyPair(method, turn.random);
  const payloads: Payload[] = [
    { type: 'SA', body: offerIke(state.peer.ike, spi) },
    { type: 'Nonce', body: nonce },
    keyExchangePayload(keyPair),
  ];
  const sent = sendRequest(state, 'CREATE_CHILD_SA', payloads, turn);
  const task = { kind: 'ike', sent, spi, nonce, keyPair, rival: null } as const;
  return { ...state, requests: withNextId(state.requests), task };
}

/** The initiator reads the answer; `state.task` is already cleared. */
export function onIkeAnswer(
  state: Established,
  task: TaskOf<'ike'>,
  message: Incoming,
  turn: Turn,
): Established | Closing {
  const error = notifies(message.payloads).find(isError);
  if (error !== undefined) return onIkeRefused(state, task, error, turn);
  const next = nextStep(readAnswer(state, task, message), message);
  if (next.kind === 'useless') {
    turn.world.count('invalidIkeRekeyAnswer');
    return onNoSuccessor(state, task, turn);
  }
  const { draft } = next;
  if (next.kind === 'followUp') return beginFollowUp(state, { kind: 'ike', task, draft }, next.link, turn);
  return finishIke(state, task, { draft, additional: [] }, turn);
}

interface Finished {
  readonly draft: IkeDraft;
  readonly additional: readonly Secret[];
}

/** All key exchanges are done: the new SA inherits, unless the peer has one that stays in its place. */
export function finishIke(
  state: Established,
  task: TaskOf<'ike'>,
  { draft, additional }: Finished,
  turn: Turn,
): Established | Closing {
  const successor = successorOf(state, draft, additional, turn);
  const { heir, owner } = state.family;
  const coming = state.pending?.of.kind === 'ike' ? state.pending.of.draft.nonces : null;
  if (owner !== saKey(state.channel)) {
    // The peer's SA has already taken over: it was sure, so ours is the one too many.
    turn.world.spawn(beginClosing(successor, quietly, turn));
    return retire(state, turn);
  }
  const rivalNonces = heir !== null && task.rival ? task.rival.nonces : coming;
  if (rivalNonces !== null && losesTo(draft.nonces, rivalNonces)) {
    turn.world.spawn(beginClosing(successor, quietly, turn));
    return heir === null ? state : yieldTo(state, heir, turn);
  }
  turn.world.spawn(successor);
  handOver(state, saKey(successor.channel), turn);
  return beginClosing(state, quietly, turn);
}

/** No report: the SA has a successor. */
const quietly = { failure: null, detail: '' } as const;

function yieldTo(state: Established, heir: string, turn: Turn): Established {
  handOver(state, heir, turn);
  return retire(state, turn);
}

function readAnswer(state: Established, task: TaskOf<'ike'>, message: Incoming): IkeDraft | null {
  const { payloads } = message;
  const accepted = acceptIke(find(payloads, 'SA') ?? [], state.peer.ike, 8);
  const responderNonce = find(payloads, 'Nonce');
  if (accepted === null || responderNonce === null) return null;
  const { suite, peerSpi } = accepted;
  const shared = agreed(task.keyPair, suite.keyExchange, message);
  if (shared === null) return null;
  const nonces = { initiator: task.nonce, responder: responderNonce };
  const token = tokenIn(notifies(payloads));
  return {
    crashToken: token,
    initiator: true,
    suite,
    spis: { initiator: task.spi, responder: peerSpi },
    nonces,
    shared,
  };
}

export function onIkeRefused(state: Established, task: TaskOf<'ike'>, error: Notify, turn: Turn): Established {
  turn.world.count(`ikeRekeyRefused ${notifyName(error.notify)}`);
  const group = otherGroup(error, task.keyPair.method, state.peer.ike.keyExchanges);
  if (group !== null && task.rival === null) return sendIkeRekey(state, group, turn);
  return onNoSuccessor(state, task, turn);
}

/** If the peer's own rekey stands, that is the new SA; otherwise ours is tried again, never at once (RFC 7296 2.25). */
function onNoSuccessor(state: Established, task: TaskOf<'ike'>, turn: Turn): Established {
  if (task.rival && state.family.heir !== null) return yieldTo(state, state.family.heir, turn);
  if (!owns(state)) return retire(state, turn);
  return { ...state, rekeyAt: turn.now + between(3_000, 8_000, turn.random) };
}
