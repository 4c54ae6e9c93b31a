import type { KeyExchange } from '../api.ts';
import { answer, beginClosing, openChannel, owns, saKey, sendRequest, withNextId } from '../channel.ts';
import { generateKeyPair, keyExchangeId, keyExchangeOf } from '../crypto/key-exchange.ts';
import { rekeyedIkeKeys } from '../crypto/keys.ts';
import { retireMilliseconds } from '../family.ts';
import { acceptIke, chooseIke, groupOctets, groupOf, offerIke, withoutAdditional } from '../negotiate.ts';
import { notifyName, notifyTypes } from '../numbers.ts';
import { between } from '../retransmit.ts';
import type { Channel, Closing, Established, Incoming, Nonces, TaskOf } from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { isError, type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { newEstablished } from './ike-auth.ts';
import { losesTo } from './rekey-child.ts';

/*
 * CREATE_CHILD_SA for the IKE SA itself, RFC 7296 1.3.2 and 2.18. The new SA inherits the family of the old one,
 * which whoever began deletes. If both began, 2.8.1 chooses by the lowest nonce: the SA of that exchange is deleted by
 * its maker; until our own answer is there, the peer's SA is the family's heir.
 */

const nonceLength = 32;

export function beginIkeRekey(state: Established, turn: Turn): Established {
  // What both ends took last time saves the round trip of an INVALID_KE_PAYLOAD.
  const { keyExchanges } = state.peer.ike;
  const method = keyExchanges.find((each) => each === state.channel.suite.keyExchange) ?? keyExchanges[0];
  return method === undefined ? state : sendIkeRekey(state, method, turn);
}

function sendIkeRekey(state: Established, method: KeyExchange, turn: Turn): Established {
  const spi = turn.world.newIkeSpi(turn);
  const nonce = turn.random(nonceLength);
  const keyPair = generateKeyPair(method, turn.random);
  const payloads: Payload[] = [
    { type: 'SA', body: offerIke(withoutAdditional(state.peer.ike), spi) },
    { type: 'Nonce', body: nonce },
    { type: 'KE', body: { group: keyExchangeId(method), data: keyPair.publicValue } },
  ];
  const sent = sendRequest(state, 'CREATE_CHILD_SA', payloads, turn);
  const task = { kind: 'ike', sent, spi, nonce, keyPair, rival: null } as const;
  return { ...state, requests: withNextId(state.requests), task };
}

export function respondIkeRekey(state: Established, message: Incoming, turn: Turn): Established {
  const made = makeSuccessor(state, message, turn);
  if ('refusal' in made) return answer(state, message, [{ type: 'N', body: made.refusal }], turn);
  const { successor, payloads, nonces } = made;
  const answered = answer(state, message, payloads, turn);
  const { task } = answered;
  turn.world.spawn(successor);
  if (task?.kind === 'ike') {
    state.family.heir = saKey(successor.channel);
    return { ...answered, task: { ...task, rival: { nonces } } };
  }
  handOver(state, saKey(successor.channel), turn);
  return retire(answered, turn);
}

/** From now on the children belong to the IKE SA of that key. */
export function handOver(state: Established, key: string, turn: Turn): void {
  state.family.heir = null;
  if (state.family.owner === key) return;
  state.family.owner = key;
  report(turn, { kind: 'ikeEstablished', peer: state.peer.name, rekeyed: true });
}

interface Made {
  readonly successor: Established;
  readonly payloads: readonly Payload[];
  readonly nonces: Nonces;
}

function makeSuccessor(state: Established, message: Incoming, turn: Turn): Made | { readonly refusal: Notify } {
  const { payloads } = message;
  const ke = find(payloads, 'KE');
  const initiatorNonce = find(payloads, 'Nonce');
  if (ke === null || initiatorNonce === null) return { refusal: notifyOf('INVALID_SYNTAX') };
  const present = keyExchangeOf(ke.group);
  const chosen = chooseIke(find(payloads, 'SA') ?? [], withoutAdditional(state.peer.ike), present, 8);
  if (chosen === null) return { refusal: notifyOf('NO_PROPOSAL_CHOSEN') };
  const { suite, peerSpi } = chosen;
  const { moat, fragmentation } = state.channel;
  if (suite.keyExchange !== present) {
    return { refusal: notifyOf('INVALID_KE_PAYLOAD', groupOctets(suite.keyExchange)) };
  }
  const keyPair = generateKeyPair(suite.keyExchange, turn.random);
  const shared = keyPair.agree(ke.data);
  if (shared === null) return { refusal: notifyOf('INVALID_SYNTAX') };
  const spi = turn.world.newIkeSpi(turn);
  const nonces = { initiator: initiatorNonce, responder: turn.random(nonceLength) };
  const spis = { initiator: peerSpi, responder: spi };
  const keys = rekeyedIkeKeys({ suite, nonces, spis, shared, additional: [] }, oldSecrets(state.channel));
  const channel = openChannel({
    initiator: false,
    spiInitiator: peerSpi,
    spiResponder: spi,
    suite,
    moat,
    fragmentation,
    keys,
  });
  const answered: Payload[] = [
    { type: 'SA', body: chosen.answer(spi) },
    { type: 'Nonce', body: nonces.responder },
    { type: 'KE', body: { group: ke.group, data: keyPair.publicValue } },
  ];
  return { successor: succeed(state, channel, turn), payloads: answered, nonces };
}

function oldSecrets(channel: Channel) {
  return { prf: channel.suite.prf, d: channel.keys.d };
}

/** RFC 7296 2.18: message ids begin at 0, everything else goes on. It is deleted if it never becomes the owner. */
function succeed(state: Established, channel: Channel, turn: Turn): Established {
  const { peer, path, nat, family, rekeys, heardAt } = state;
  const fresh = newEstablished({ peer, path, nat, channel }, 0, 0, turn);
  return { ...fresh, family, rekeys: rekeys + 1, heardAt, retireAt: turn.now + retireMilliseconds };
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
  const made = readAnswer(state, task, message, turn);
  if (made === null) {
    turn.world.count('invalidIkeRekeyAnswer');
    return onNoSuccessor(state, task, turn);
  }
  const { successor, nonces } = made;
  const { heir } = state.family;
  if (task.rival && heir !== null && losesTo(nonces, task.rival.nonces)) {
    const loser = beginClosing(successor, { failure: null, detail: '' }, turn);
    turn.world.spawn(loser);
    return yieldTo(state, heir, turn);
  }
  if (state.family.owner !== saKey(state.channel)) {
    // The peer's SA has already taken over: it was sure, so ours is the one too many.
    turn.world.spawn(beginClosing(successor, { failure: null, detail: '' }, turn));
    return retire(state, turn);
  }
  turn.world.spawn(successor);
  handOver(state, saKey(successor.channel), turn);
  return beginClosing(state, { failure: null, detail: '' }, turn);
}

function yieldTo(state: Established, heir: string, turn: Turn): Established {
  handOver(state, heir, turn);
  return retire(state, turn);
}

/** The peer is to delete it, and we do if that takes too long. */
function retire(state: Established, turn: Turn): Established {
  return { ...state, retireAt: turn.now + retireMilliseconds };
}

function readAnswer(
  state: Established,
  task: TaskOf<'ike'>,
  message: Incoming,
  turn: Turn,
): { readonly successor: Established; readonly nonces: Nonces } | null {
  const { payloads } = message;
  const accepted = acceptIke(find(payloads, 'SA') ?? [], withoutAdditional(state.peer.ike), 8);
  const ke = find(payloads, 'KE');
  const responderNonce = find(payloads, 'Nonce');
  if (accepted === null || ke === null || responderNonce === null) return null;
  const { suite, peerSpi } = accepted;
  const { moat, fragmentation } = state.channel;
  if (suite.keyExchange !== task.keyPair.method || keyExchangeOf(ke.group) !== task.keyPair.method) return null;
  const shared = task.keyPair.agree(ke.data);
  if (shared === null) return null;
  const nonces = { initiator: task.nonce, responder: responderNonce };
  const spis = { initiator: task.spi, responder: peerSpi };
  const keys = rekeyedIkeKeys({ suite, nonces, spis, shared, additional: [] }, oldSecrets(state.channel));
  const channel = openChannel({
    initiator: true,
    spiInitiator: task.spi,
    spiResponder: peerSpi,
    suite,
    moat,
    fragmentation,
    keys,
  });
  return { successor: succeed(state, channel, turn), nonces };
}

function onIkeRefused(state: Established, task: TaskOf<'ike'>, error: Notify, turn: Turn): Established {
  turn.world.count(`ikeRekeyRefused ${notifyName(error.notify)}`);
  if (error.notify === notifyTypes.INVALID_KE_PAYLOAD && task.rival === null) {
    const group = groupOf(error.data);
    const usable = group !== null && group !== task.keyPair.method && state.peer.ike.keyExchanges.includes(group);
    if (usable) return sendIkeRekey(state, group, turn);
  }
  return onNoSuccessor(state, task, turn);
}

/** If the peer's own rekey stands, that is the new SA; otherwise ours is tried again, never at once (RFC 7296 2.25). */
function onNoSuccessor(state: Established, task: TaskOf<'ike'>, turn: Turn): Established {
  if (task.rival && state.family.heir !== null) return yieldTo(state, state.family.heir, turn);
  if (!owns(state)) return retire(state, turn);
  return { ...state, rekeyAt: turn.now + between(3_000, 8_000, turn.random) };
}
