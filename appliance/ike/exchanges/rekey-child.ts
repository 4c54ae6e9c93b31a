import { Reader } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import type { KeyExchange } from '../api.ts';
import { abandonPending, beginClosing, sendRequest, withNextId } from '../channel.ts';
import { generateKeyPair } from '../crypto/key-exchange.ts';
import {
  addLostChild,
  afterLoss,
  amendChild,
  type Child,
  childBy,
  installChild,
  type NewChild,
  removeChild,
  supersede,
} from '../family.ts';
import { agreeFeatures, offerFeatures } from '../features.ts';
import { acceptEsp, offerEsp } from '../negotiate.ts';
import { notifyName, notifyTypes } from '../numbers.ts';
import { policyOf } from '../policies.ts';
import { between } from '../retransmit.ts';
import { isWithin } from '../selectors.ts';
import type { Closing, Established, Incoming, Nonces } from '../states.ts';
import type { TaskOf } from '../tasks.ts';
import { report, type Turn } from '../turn.ts';
import { isError, type Notify, notifyAboutEsp } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { nonceLength, spiOctets } from './auth.ts';
import { type ChildDraft, childOf } from './drafts.ts';
import { beginFollowUp } from './followup-ke.ts';
import { agreed, firstMethod, keyExchangePayload, losesTo, nextStep, otherGroup } from './rekey.ts';

/*
 * The initiator of CREATE_CHILD_SA for a child SA, RFC 7296 1.3.1 and 1.3.3: the rekey of one, or a new one when the last is gone.
 * Collisions follow 2.8.1: of the four nonces the lowest marks the exchange whose SA is deleted by its maker.
 */

/** Longer than an answer is under way, its retransmissions included. */
const youngMilliseconds = 30_000;

/** The rekey of a child, or a child of its own by that policy, in a new tunnel. */
export function beginChild(state: Established, what: Child | { readonly policy: number }, turn: Turn): Established {
  const method = firstMethod(state.peer.esp.keyExchanges, state.channel.suite.keyExchange);
  return sendChild(state, { replaces: 'spiIn' in what ? what : null, policy: what.policy, method }, turn);
}

interface Wish {
  readonly replaces: Child | null;
  readonly policy: number;
  readonly method: KeyExchange | null;
}

function sendChild(state: Established, { replaces, policy, method }: Wish, turn: Turn): Established {
  const { peer } = state;
  const { localSelectors, remoteSelectors } = policyOf(state, policy);
  const spi = turn.world.newEspSpi(turn);
  const nonce = turn.random(nonceLength);
  const keyPair = method && generateKeyPair(method, turn.random);
  const payloads: Payload[] = [
    ...(replaces ? [{ type: 'N', body: notifyAboutEsp('REKEY_SA', replaces.spiIn) } as const] : []),
    { type: 'SA', body: offerEsp(peer.esp, spiOctets(spi), true) },
    ...offerFeatures(peer, state.channel),
    { type: 'Nonce', body: nonce },
    ...(keyPair ? [keyExchangePayload(keyPair)] : []),
    { type: 'TSi', body: localSelectors },
    { type: 'TSr', body: remoteSelectors },
  ];
  const sent = sendRequest(state, 'CREATE_CHILD_SA', payloads, turn);
  const tunnel = replaces?.tunnel ?? turn.world.newTunnel();
  const task = {
    kind: 'child',
    sent,
    replaces: replaces?.spiIn ?? null,
    policy,
    tunnel,
    spi,
    nonce,
    keyPair,
    rival: null,
    gone: [],
  } as const;
  return { ...state, requests: withNextId(state.requests), task };
}

/** The initiator reads the answer; `state.task` is already cleared. */
export function onChildAnswer(
  state: Established,
  task: TaskOf<'child'>,
  message: Incoming,
  turn: Turn,
): Established | Closing {
  const error = notifies(message.payloads).find(isError);
  if (error !== undefined) return onChildRefused(state, task, error, turn);
  const next = nextStep(readAnswer(state, task, message), message);
  if (next.kind === 'useless') return onUselessAnswer(state, task, message, turn);
  const { draft } = next;
  if (next.kind === 'followUp') return beginFollowUp(state, { kind: 'child', task, draft }, next.link, turn);
  return finishChild(state, task, { draft, additional: [] }, turn);
}

interface Finished {
  readonly draft: ChildDraft;
  readonly additional: readonly Secret[];
}

/** All key exchanges are done: the child is ours, unless the peer has one that stays in its place. */
export function finishChild(
  state: Established,
  task: TaskOf<'child'>,
  { draft, additional }: Finished,
  turn: Turn,
): Established {
  const child = childOf(state.channel, draft, additional);
  const rival = task.rival && childBy(state.family, { spiIn: task.rival.spi });
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  const coming = pendingRival(state, task);
  const rivalNonces = (rival && task.rival?.nonces) ?? coming;
  if (rivalNonces !== null && losesTo(draft.nonces, rivalNonces)) {
    addLostChild(state, child, turn);
    if (old && rival) supersede(state.family, old.spiIn, turn);
    return state;
  }
  if (task.gone.includes(child.spiOut)) return forgetChild(state, { child, old }, turn);
  installChild(state, child, turn);
  const rekeyed = task.replaces !== null;
  report(turn, { kind: 'childEstablished', peer: state.peer.name, tunnel: child.tunnel, rekeyed });
  if (rival) supersede(state.family, rival.spiIn, turn);
  if (old) amendChild(state.family, old.spiIn, { phase: 'deleteWanted' });
  return coming === null ? state : abandonPending(state, turn);
}

/** The peer has deleted it already, and the DELETE was faster than the answer that made it: the tunnel has to begin anew. */
function forgetChild(
  state: Established,
  { child, old }: { readonly child: NewChild; readonly old: Child | null },
  turn: Turn,
): Established {
  child.keys.initiator.wipe();
  child.keys.responder.wipe();
  turn.world.freeEspSpi(child.spiIn);
  if (old) amendChild(state.family, old.spiIn, { phase: 'deleteWanted' });
  else afterLoss(state, child.tunnel, turn);
  return state;
}

/** The nonces of the peer's rekey of the same child, if it waits for its additional key exchange. */
function pendingRival(state: Established, task: TaskOf<'child'>): Nonces | null {
  const of = state.pending?.of;
  const same = of?.kind === 'child' && of.replaces !== null && of.replaces === task.replaces;
  return same ? of.draft.nonces : null;
}

function readAnswer(state: Established, task: TaskOf<'child'>, message: Incoming): ChildDraft | null {
  const { peer, channel } = state;
  const { payloads } = message;
  const { localSelectors, remoteSelectors } = policyOf(state, task.policy);
  const accepted = acceptEsp(find(payloads, 'SA') ?? [], peer.esp, true);
  const responderNonce = find(payloads, 'Nonce');
  const local = find(payloads, 'TSi') ?? [];
  const remote = find(payloads, 'TSr') ?? [];
  if (accepted === null || responderNonce === null) return null;
  if (!isWithin(local, localSelectors) || !isWithin(remote, remoteSelectors)) return null;
  const { suite } = accepted;
  const shared = suite.keyExchange && agreed(task.keyPair, suite.keyExchange, message);
  if (suite.keyExchange !== null && shared === null) return null;
  const nonces = { initiator: task.nonce, responder: responderNonce };
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  const { tunnel, spi: spiIn, policy } = task;
  return {
    ...{ tunnel, policy, spiIn, spiOut: new Reader(accepted.peerSpi).u32(), suite, local, remote, nonces, shared },
    features: agreeFeatures(peer, channel, notifies(payloads)),
    initiator: true,
    rekeys: task.replaces === null ? 0 : (old?.rekeys ?? 0) + 1,
    activate: 'now',
  };
}

/** The peer has made an SA that we cannot use: it is told to delete it if we can name it; the old one is tried again later. */
function onUselessAnswer(state: Established, task: TaskOf<'child'>, message: Incoming, turn: Turn): Established {
  turn.world.count('invalidChildAnswer');
  const [proposal] = find(message.payloads, 'SA') ?? [];
  if (proposal === undefined || proposal.spi.length !== 4) return retryLater(state, task, turn);
  const spiOut = new Reader(proposal.spi).u32();
  const suite = { cipher: 'aes-256-gcm-16', esn: false, keyExchange: null, additionalKeyExchange: null } as const;
  const never = Number.POSITIVE_INFINITY;
  const times = { createdAt: turn.now, rekeyAt: never, hardAt: never, retireAt: never };
  const useless: Child = {
    ...{ tunnel: task.tunnel, policy: task.policy, spiIn: task.spi, spiOut, suite, local: [], remote: [] },
    ...{
      installed: false,
      quantumSafe: null,
      aggfrag: false,
      encapsulation: 'udp',
      phase: 'deleteWanted',
      rekeys: 0,
      ...times,
    },
  };
  state.family.children = [...state.family.children, useless];
  return postpone(state, task, turn);
}

export function onChildRefused(
  state: Established,
  task: TaskOf<'child'>,
  error: Notify,
  turn: Turn,
): Established | Closing {
  turn.world.count(`childRefused ${notifyName(error.notify)}`);
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  const group = otherGroup(error, task.keyPair?.method, state.peer.esp.keyExchanges);
  if (group !== null && task.rival === null && (old !== null || task.replaces === null)) {
    turn.world.freeEspSpi(task.spi);
    return sendChild(state, { replaces: old, policy: task.policy, method: group }, turn);
  }
  if (task.replaces === null) return onNewRefused(state, task, error, turn);
  // A young child may be one whose maker has not got our answer yet: then it is not gone, but not there yet.
  const young = old !== null && turn.now - old.createdAt < youngMilliseconds;
  if (error.notify === notifyTypes.CHILD_SA_NOT_FOUND && old !== null && !young) {
    turn.world.freeEspSpi(task.spi);
    removeChild(state.family, old, turn);
    afterLoss(state, old.tunnel, turn);
    return state;
  }
  return retryLater(state, task, turn);
}

/**
 * A new child, not the rekey of one. A peer that takes no more child SAs and leaves us without any takes an IKE SA with one
 * (RFC 7296 1.3); what it refuses for good is asked for again seldom, since somebody may mend its configuration.
 */
function onNewRefused(state: Established, task: TaskOf<'child'>, error: Notify, turn: Turn): Established | Closing {
  const none = state.family.children.length === 0;
  if (none && error.notify === notifyTypes.NO_ADDITIONAL_SAS) {
    turn.world.freeEspSpi(task.spi);
    return beginClosing(state, { failure: 'noChildSa', detail: notifyName(error.notify) }, turn);
  }
  const next = retryLater(state, task, turn);
  const passing = error.notify === notifyTypes.TEMPORARY_FAILURE;
  if (!passing) state.family.recreateAt = turn.now + (none ? refusedMilliseconds : refusedMoreMilliseconds);
  return next;
}
const refusedMilliseconds = 10_000;
const refusedMoreMilliseconds = 60_000;

function retryLater(state: Established, task: TaskOf<'child'>, turn: Turn): Established {
  turn.world.freeEspSpi(task.spi);
  return postpone(state, task, turn);
}

/** RFC 7296 2.25: never at once. With a rival there is nothing to try again: the peer's SA replaces the old one. */
function postpone(state: Established, task: TaskOf<'child'>, turn: Turn): Established {
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  const rival = task.rival && childBy(state.family, { spiIn: task.rival.spi });
  if (old && rival) supersede(state.family, old.spiIn, turn);
  else if (old) amendChild(state.family, old.spiIn, { rekeyAt: turn.now + between(3_000, 8_000, turn.random) });
  else if (!rival) afterLoss(state, task.tunnel, turn);
  return state;
}
