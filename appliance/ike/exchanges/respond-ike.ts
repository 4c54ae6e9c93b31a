import { answer, saKey } from '../channel.ts';
import { crashToken } from '../crash.ts';
import { generateKeyPair, keyExchangeOf } from '../crypto/key-exchange.ts';
import { retireMilliseconds } from '../family.ts';
import { chooseIke, groupOctets } from '../negotiate.ts';
import type { Established, Incoming, Nonces } from '../states.ts';
import { rekeyOf, withRival } from '../tasks.ts';
import { report, type Turn } from '../turn.ts';
import { type Notify, notifyOf } from '../wire/notify.ts';
import { find, type Payload } from '../wire/payloads.ts';
import { nonceLength } from './auth.ts';
import { type IkeDraft, successorOf } from './drafts.ts';
import { awaitFollowUp } from './followup-ke.ts';

/* The responder of CREATE_CHILD_SA for the IKE SA itself, RFC 7296 1.3.2, and who inherits the family. */

export function respondIkeRekey(state: Established, message: Incoming, turn: Turn): Established {
  const made = draftSuccessor(state, message, turn);
  if ('refusal' in made) return answer(state, message, [{ type: 'N', body: made.refusal }], turn);
  const { draft, payloads } = made;
  if (draft.suite.additionalKeyExchange !== null) {
    return awaitFollowUp(state, message, { of: { kind: 'ike', draft }, payloads }, turn);
  }
  const successor = successorOf(state, draft, [], turn);
  return settleSuccessor(answer(state, message, payloads, turn), successor, draft.nonces, turn);
}

/** The peer's new SA is there: it inherits, or waits as the heir until our own rekey is decided. */
export function settleSuccessor(state: Established, successor: Established, nonces: Nonces, turn: Turn): Established {
  const key = saKey(successor.channel);
  turn.world.spawn(successor);
  if (state.task && rekeyOf(state.task)?.kind === 'ike') {
    state.family.heir = key;
    return { ...state, task: withRival(state.task, { nonces }) };
  }
  handOver(state, key, turn);
  return retire(state, turn);
}

/** From now on the children belong to the IKE SA of that key. */
export function handOver(state: Established, key: string, turn: Turn): void {
  state.family.heir = null;
  if (state.family.owner === key) return;
  state.family.owner = key;
  report(turn, { kind: 'ikeEstablished', peer: state.peer.name, rekeyed: true });
}

/** The peer is to delete it, and we do if that takes too long. */
export function retire(state: Established, turn: Turn): Established {
  return { ...state, retireAt: turn.now + retireMilliseconds };
}

interface Drafted {
  readonly draft: IkeDraft;
  readonly payloads: readonly Payload[];
}

function draftSuccessor(state: Established, message: Incoming, turn: Turn): Drafted | { readonly refusal: Notify } {
  const { payloads } = message;
  const ke = find(payloads, 'KE');
  const initiatorNonce = find(payloads, 'Nonce');
  if (ke === null || initiatorNonce === null) return { refusal: notifyOf('INVALID_SYNTAX') };
  const present = keyExchangeOf(ke.group);
  const chosen = chooseIke(find(payloads, 'SA') ?? [], state.peer.ike, present, 8);
  if (chosen === null) return { refusal: notifyOf('NO_PROPOSAL_CHOSEN') };
  const { suite, peerSpi } = chosen;
  if (suite.keyExchange !== present) {
    return { refusal: notifyOf('INVALID_KE_PAYLOAD', groupOctets(suite.keyExchange)) };
  }
  const keyPair = generateKeyPair(suite.keyExchange, turn.random);
  const shared = keyPair.agree(ke.data);
  if (shared === null) return { refusal: notifyOf('INVALID_SYNTAX') };
  const spi = turn.world.newIkeSpi(turn);
  const nonces = { initiator: initiatorNonce, responder: turn.random(nonceLength) };
  const answered: Payload[] = [
    { type: 'SA', body: chosen.answer(spi) },
    { type: 'Nonce', body: nonces.responder },
    { type: 'KE', body: { group: ke.group, data: keyPair.publicValue } },
    // RFC 6290 4.4: as responder both SPIs are known here; the initiator's follows in the new SA.
    ...crashToken(turn.world.options.crashSecret, { spiInitiator: peerSpi, spiResponder: spi }),
  ];
  const spis = { initiator: peerSpi, responder: spi };
  return { draft: { initiator: false, suite, spis, nonces, shared }, payloads: answered };
}
