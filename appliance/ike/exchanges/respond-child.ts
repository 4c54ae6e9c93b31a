import { Reader } from '../../lib/bytes.ts';
import { answer } from '../channel.ts';
import { generateKeyPair, keyExchangeId, keyExchangeOf } from '../crypto/key-exchange.ts';
import { type Child, childBy, installChild, type NewChild, supersede } from '../family.ts';
import { agreeFeatures, featurePayloads } from '../features.ts';
import { chooseEsp, groupOctets } from '../negotiate.ts';
import { freeNarrowing, type Narrowed, narrowings } from '../policies.ts';
import type { Established, Incoming, Nonces } from '../states.ts';
import { rekeyOf, withRival } from '../tasks.ts';
import { report, type Turn } from '../turn.ts';
import { type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { nonceLength, spiOctets } from './auth.ts';
import { type ChildDraft, childOf } from './drafts.ts';
import { awaitFollowUp } from './followup-ke.ts';

/* The responder of CREATE_CHILD_SA for a child SA, RFC 7296 1.3.1 and 1.3.3. */

/** `replaces` null: the peer wants a child SA where there is none. */
export function respondChild(state: Established, message: Incoming, replaces: Child | null, turn: Turn): Established {
  const made = draftChild(state, message, replaces, turn);
  if ('refusal' in made) return answer(state, message, [{ type: 'N', body: made.refusal }], turn);
  const { draft, payloads } = made;
  if (draft.suite.additionalKeyExchange !== null) {
    const of = { kind: 'child', draft, replaces: replaces?.spiIn ?? null } as const;
    return awaitFollowUp(state, message, { of, payloads }, turn);
  }
  const child = childOf(state.channel, draft, []);
  const next = takeIn(state, child, { replaces: replaces?.spiIn ?? null, nonces: draft.nonces }, turn);
  return answer(next, message, payloads, turn);
}

/** Installs what the peer's exchange made; whether it stays is open if we are rekeying the same child. */
export function takeIn(
  state: Established,
  child: NewChild,
  { replaces, nonces }: { readonly replaces: number | null; readonly nonces: Nonces },
  turn: Turn,
): Established {
  installChild(state, child, turn);
  const rekeyed = replaces !== null;
  report(turn, { kind: 'childEstablished', peer: state.peer.name, tunnel: child.tunnel, rekeyed });
  const ours = state.task && rekeyOf(state.task);
  if (state.task && ours?.kind === 'child' && rekeyed && ours.replaces === replaces) {
    return { ...state, task: withRival(state.task, { spi: child.spiIn, nonces }) };
  }
  if (rekeyed && childBy(state.family, { spiIn: replaces })) supersede(state.family, replaces, turn);
  return state;
}

interface Drafted {
  readonly draft: ChildDraft;
  readonly payloads: readonly Payload[];
}

function draftChild(
  state: Established,
  message: Incoming,
  replaces: Child | null,
  turn: Turn,
): Drafted | { readonly refusal: Notify } {
  const { peer, channel } = state;
  const { payloads } = message;
  const ke = find(payloads, 'KE');
  const initiatorNonce = find(payloads, 'Nonce');
  const wishes = { initiator: find(payloads, 'TSi'), responder: find(payloads, 'TSr') };
  if (wishes.initiator === null || wishes.responder === null || initiatorNonce === null) {
    return { refusal: notifyOf('INVALID_SYNTAX') };
  }
  const present = ke && keyExchangeOf(ke.group);
  const chosen = chooseEsp(find(payloads, 'SA') ?? [], peer.esp, { present });
  if (chosen === null) return { refusal: notifyOf('NO_PROPOSAL_CHOSEN') };
  const { suite } = chosen;
  const method = suite.keyExchange;
  if (method !== null && method !== present) return { refusal: notifyOf('INVALID_KE_PAYLOAD', groupOctets(method)) };
  const narrowed = narrow(state, { remote: wishes.initiator, local: wishes.responder }, replaces);
  if ('notify' in narrowed) return { refusal: narrowed };

  const keyPair = method && generateKeyPair(method, turn.random);
  const shared = keyPair && ke ? keyPair.agree(ke.data) : null;
  if (keyPair !== null && shared === null) return { refusal: notifyOf('INVALID_SYNTAX') };
  const spiIn = turn.world.newEspSpi(turn);
  const features = agreeFeatures(peer, channel, notifies(payloads));
  const nonces = { initiator: initiatorNonce, responder: turn.random(nonceLength) };
  const draft: ChildDraft = {
    ...{
      spiIn,
      spiOut: new Reader(chosen.peerSpi).u32(),
      suite,
      ...narrowed,
      features,
      initiator: false,
      nonces,
      shared,
    },
    tunnel: replaces?.tunnel ?? turn.world.newTunnel(),
    rekeys: replaces ? replaces.rekeys + 1 : 0,
    // RFC 7296 2.8: the initiator may not be ready to receive before it has the answer.
    activate: replaces ? { afterInbound: spiIn } : 'now',
  };
  const ours = keyPair && { group: keyExchangeId(keyPair.method), data: keyPair.publicValue };
  const answered: Payload[] = [
    { type: 'SA', body: chosen.answer(spiOctets(spiIn)) },
    ...featurePayloads(features, channel),
    { type: 'Nonce', body: nonces.responder },
    ...(ours ? [{ type: 'KE', body: ours } as const] : []),
    { type: 'TSi', body: narrowed.remote },
    { type: 'TSr', body: narrowed.local },
  ];
  return { draft, payloads: answered };
}

/** A rekey keeps its policy; a new child takes one that has none. */
function narrow(
  host: Established,
  wishes: Parameters<typeof narrowings>[1],
  replaces: Child | null,
): Narrowed | Notify {
  const found = narrowings(host, wishes);
  if (found.length === 0) return notifyOf('TS_UNACCEPTABLE');
  if (replaces !== null) return found.find(({ policy }) => policy === replaces.policy) ?? notifyOf('TS_UNACCEPTABLE');
  return freeNarrowing(found, host.family.children) ?? notifyOf('NO_ADDITIONAL_SAS');
}
