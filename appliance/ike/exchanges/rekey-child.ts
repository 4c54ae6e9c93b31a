import { compareBytes, Reader } from '../../lib/bytes.ts';
import type { Secret } from '../../lib/secret.ts';
import type { KeyExchange } from '../api.ts';
import { abandonPending, sendRequest, withNextId } from '../channel.ts';
import { generateKeyPair, keyExchangeId } from '../crypto/key-exchange.ts';
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
import { acceptEsp, groupOf, offerEsp } from '../negotiate.ts';
import { notifyName, notifyTypes } from '../numbers.ts';
import { between } from '../retransmit.ts';
import { isWithin } from '../selectors.ts';
import type { Established, Incoming, Nonces, TaskOf } from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { isError, type Notify, notifyAboutEsp } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { nonceLength, spiOctets } from './auth.ts';
import { type ChildDraft, childOf } from './drafts.ts';
import { beginFollowUp, linkOf } from './followup-ke.ts';

/*
 * The initiator of CREATE_CHILD_SA for a child SA, RFC 7296 1.3.1 and 1.3.3: the rekey of one, or a new one when the last is gone.
 * Collisions follow 2.8.1: of the four nonces the lowest marks the exchange whose SA is deleted by its maker.
 */

/** Longer than an answer is under way, its retransmissions included. */
const youngMilliseconds = 30_000;

/** The one of the IKE SA if it may be, since both ends have it; otherwise the most wanted. */
function firstMethod(state: Established): KeyExchange | null {
  const methods = state.peer.esp.keyExchanges.filter((method) => method !== 'none');
  return methods.find((method) => method === state.channel.suite.keyExchange) ?? methods[0] ?? null;
}

/** `replaces` null: a child of its own, in a new tunnel. */
export function beginChild(state: Established, replaces: Child | null, turn: Turn): Established {
  return sendChild(state, { replaces, method: firstMethod(state) }, turn);
}

interface Wish {
  readonly replaces: Child | null;
  readonly method: KeyExchange | null;
}

function sendChild(state: Established, { replaces, method }: Wish, turn: Turn): Established {
  const { peer } = state;
  const spi = turn.world.newEspSpi(turn);
  const nonce = turn.random(nonceLength);
  const keyPair = method && generateKeyPair(method, turn.random);
  const payloads: Payload[] = [
    ...(replaces ? [{ type: 'N', body: notifyAboutEsp('REKEY_SA', replaces.spiIn) } as const] : []),
    { type: 'SA', body: offerEsp(peer.esp, spiOctets(spi), true) },
    ...offerFeatures(peer, state.channel),
    { type: 'Nonce', body: nonce },
    ...(keyPair
      ? [{ type: 'KE', body: { group: keyExchangeId(keyPair.method), data: keyPair.publicValue } } as const]
      : []),
    { type: 'TSi', body: peer.localSelectors },
    { type: 'TSr', body: peer.remoteSelectors },
  ];
  const sent = sendRequest(state, 'CREATE_CHILD_SA', payloads, turn);
  const tunnel = replaces?.tunnel ?? turn.world.newTunnel();
  const task = {
    kind: 'child',
    sent,
    replaces: replaces?.spiIn ?? null,
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
export function onChildAnswer(state: Established, task: TaskOf<'child'>, message: Incoming, turn: Turn): Established {
  const error = notifies(message.payloads).find(isError);
  if (error !== undefined) return onChildRefused(state, task, error, turn);
  const draft = readAnswer(state, task, message);
  const link = linkOf(message);
  const more = draft?.suite.additionalKeyExchange ?? null;
  if (draft === null || (more !== null && link === null)) return onUselessAnswer(state, task, message, turn);
  if (link !== null && more !== null) return beginFollowUp(state, { kind: 'child', task, draft }, link, turn);
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

/** RFC 7296 2.8.1: whether the lowest of the four nonces belongs to our exchange. */
export function losesTo(ours: Nonces, rival: Nonces): boolean {
  return compareBytes(lower(ours), lower(rival)) < 0;
}

function lower(nonces: Nonces): Uint8Array {
  return compareBytes(nonces.initiator, nonces.responder) < 0 ? nonces.initiator : nonces.responder;
}

function readAnswer(state: Established, task: TaskOf<'child'>, message: Incoming): ChildDraft | null {
  const { peer, channel } = state;
  const { payloads } = message;
  const accepted = acceptEsp(find(payloads, 'SA') ?? [], peer.esp, true);
  const responderNonce = find(payloads, 'Nonce');
  const local = find(payloads, 'TSi') ?? [];
  const remote = find(payloads, 'TSr') ?? [];
  if (accepted === null || responderNonce === null) return null;
  if (!isWithin(local, peer.localSelectors) || !isWithin(remote, peer.remoteSelectors)) return null;
  const { suite } = accepted;
  const ke = find(payloads, 'KE');
  const wanted = suite.keyExchange;
  const fits = wanted === null || (task.keyPair?.method === wanted && ke?.group === keyExchangeId(wanted));
  const shared = fits && wanted !== null && task.keyPair && ke ? task.keyPair.agree(ke.data) : null;
  if (!fits || (wanted !== null && shared === null)) return null;
  const nonces = { initiator: task.nonce, responder: responderNonce };
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  const { tunnel, spi: spiIn } = task;
  return {
    ...{ tunnel, spiIn, spiOut: new Reader(accepted.peerSpi).u32(), suite, local, remote, nonces, shared },
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
    ...{ tunnel: task.tunnel, spiIn: task.spi, spiOut, suite, local: [], remote: [] },
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

export function onChildRefused(state: Established, task: TaskOf<'child'>, error: Notify, turn: Turn): Established {
  turn.world.count(`childRefused ${notifyName(error.notify)}`);
  const old = task.replaces === null ? null : childBy(state.family, { spiIn: task.replaces });
  if (error.notify === notifyTypes.INVALID_KE_PAYLOAD) {
    const group = groupOf(error.data);
    const usable = group !== null && group !== task.keyPair?.method && state.peer.esp.keyExchanges.includes(group);
    if (usable && task.rival === null && (old !== null || task.replaces === null)) {
      turn.world.freeEspSpi(task.spi);
      return sendChild(state, { replaces: old, method: group }, turn);
    }
  }
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
