import type { Path } from '../lib/net.ts';
import { abandonPending, beginClosing, drop, owns } from './channel.ts';
import { wipeKeys } from './crypto/keys.ts';
import { failAuth } from './exchanges/auth-initiator.ts';
import { beginChildDelete, beginLiveness, beginToken } from './exchanges/informational.ts';
import { beginCheck, beginUpdate } from './exchanges/mobike.ts';
import { beginRedirect } from './exchanges/redirect.ts';
import { beginChild } from './exchanges/rekey-child.ts';
import { beginIkeRekey } from './exchanges/rekey-ike.ts';
import { fail } from './exchanges/sa-init.ts';
import { beginTicket } from './exchanges/session-resume.ts';
import { amendChild, type Child, removeLingering } from './family.ts';
import { missingPolicy } from './policies.ts';
import { nextRetry, retryDeadline, type Sent } from './retransmit.ts';
import {
  type AuthSent,
  type Closing,
  closed,
  type Established,
  type IkeState,
  type InitSent,
  type IntermediateSent,
  type ResumeSent,
} from './states.ts';
import type { Turn } from './turn.ts';

/* What time does to an IKE SA. `wakeAt` and `tend` belong together: the one says when the other has something to do. */

const never = Number.POSITIVE_INFINITY;

export function wakeAt(state: IkeState): number {
  switch (state.name) {
    case 'initSent':
      return Math.min(retryDeadline(state.sent.retry), state.refusal?.at ?? never);
    case 'initAnswered':
    case 'spent':
      return state.expiresAt;
    case 'resumeSent':
    case 'intermediateSent':
    case 'authSent':
      return retryDeadline(state.sent.retry);
    case 'closing':
      return Math.min(state.sent.retry.nextAt, state.giveUpAt);
    case 'established':
      return wakeEstablished(state);
    case 'closed':
      return never;
  }
}

function wakeEstablished(state: Established): number {
  const { family, task } = state;
  const own = owns(state);
  const pending = state.pending?.expiresAt ?? never;
  const lingering = own ? Math.min(...family.lingering.map((each) => each.at)) : never;
  if (task !== null) return Math.min(retryDeadline(task.sent.retry), lingering, pending);
  if (!own) return Math.min(state.retireAt, pending);
  // While the peer rekeys, only what cannot wait is begun by us.
  const rekeys = state.pending === null ? [state.rekeyAt, recreateAt(state)] : [];
  if (state.updateWanted || state.checkWanted || state.redirect !== null || state.tokenWanted) return 0;
  const children = family.children.map((child) => wakeChild(child, state.pending === null));
  return Math.min(lingering, pending, state.hardAt, state.ticketAt, livenessAt(state), ...rekeys, ...children);
}

function wakeChild(child: Child, mayRekey: boolean): number {
  if (child.phase === 'deleteWanted') return 0;
  if (child.phase === 'superseded') return child.retireAt;
  if (child.phase !== 'live') return never;
  return mayRekey ? Math.min(child.rekeyAt, child.hardAt) : child.hardAt;
}

function livenessAt(state: Established): number {
  const seconds = state.peer.livenessSeconds;
  return seconds > 0 ? state.heardAt + seconds * 1000 : never;
}

/** Only one end asks for a new child, so that there are not two: the one that called. */
function recreateAt(state: Established): number {
  return state.caller && missingPolicy(state) !== null ? state.family.recreateAt : never;
}

export function tend(state: IkeState, turn: Turn): IkeState {
  if (wakeAt(state) > turn.now) return state;
  switch (state.name) {
    case 'initSent':
      return tendInit(state, turn);
    case 'resumeSent':
      return tendResume(state, turn);
    case 'intermediateSent':
      return tendIntermediate(state, turn);
    case 'authSent':
      return tendAuth(state, turn);
    case 'closing':
      return tendClosing(state, turn);
    case 'established':
      return tendEstablished(state, turn);
    case 'initAnswered':
      turn.world.count('halfOpenExpired');
      wipeKeys(state.channel.keys);
      return closed;
    default:
      return closed;
  }
}

/** RFC 7296 2.1: the same octets, to where the peer is now. */
function resend(sent: Sent, path: Path, turn: Turn): Sent {
  for (const bytes of sent.datagrams) turn.emit({ kind: 'send', bytes, path });
  turn.world.count('retransmitted');
  return { ...sent, retry: nextRetry(sent.retry, turn) };
}

function tendInit(state: InitSent, turn: Turn): IkeState {
  const { peer, sent, refusal } = state;
  const over = turn.now >= sent.retry.giveUpAt;
  if (refusal !== null && (over || turn.now >= refusal.at)) return fail(peer, refusal, sent.path, turn);
  if (over) return fail(peer, { failure: 'noAnswer', detail: 'no answer to IKE_SA_INIT' }, sent.path, turn);
  return { ...state, sent: resend(sent, sent.path, turn) };
}

function tendResume(state: ResumeSent, turn: Turn): IkeState {
  const { peer, sent } = state;
  if (turn.now < sent.retry.giveUpAt) return { ...state, sent: resend(sent, sent.path, turn) };
  state.held.d.wipe();
  return fail(peer, { failure: 'noAnswer', detail: 'no answer to IKE_SESSION_RESUME' }, sent.path, turn);
}

function tendIntermediate(state: IntermediateSent, turn: Turn): IkeState {
  const { peer, path, sent } = state;
  if (turn.now < sent.retry.giveUpAt) return { ...state, sent: resend(sent, path, turn) };
  wipeKeys(state.channel.keys);
  return fail(peer, { failure: 'noAnswer', detail: 'no answer to IKE_INTERMEDIATE' }, path, turn);
}

function tendAuth(state: AuthSent, turn: Turn): IkeState {
  if (turn.now >= state.sent.retry.giveUpAt) {
    return failAuth(state, { failure: 'noAnswer', detail: 'no answer to IKE_AUTH' }, turn);
  }
  return { ...state, sent: resend(state.sent, state.path, turn) };
}

function tendClosing(state: Closing, turn: Turn): IkeState {
  if (turn.now >= state.giveUpAt) {
    wipeKeys(state.channel.keys);
    return closed;
  }
  return { ...state, sent: resend(state.sent, state.path, turn) };
}

function tendEstablished(before: Established, turn: Turn): IkeState {
  const expired = before.pending !== null && turn.now >= before.pending.expiresAt;
  const state = expired ? abandonPending(before, turn) : before;
  const own = owns(state);
  if (own) removeLingering(state.family, turn);
  const { task } = state;
  if (task !== null) {
    const { retry } = task.sent;
    if (turn.now >= retry.giveUpAt) return drop(state, { failure: 'peerDead', detail: 'no answer' }, turn);
    return turn.now < retry.nextAt ? state : { ...state, task: { ...task, sent: resend(task.sent, state.path, turn) } };
  }
  if (own) return beginWork(state, turn);
  return turn.now >= state.retireAt ? beginClosing(state, { failure: null, detail: '' }, turn) : state;
}

/** The next request of ours, the most urgent first. */
function beginWork(state: Established, turn: Turn): IkeState {
  const { family } = state;
  const { now } = turn;
  if (state.updateWanted) return beginUpdate(state, turn);
  if (state.checkWanted) return beginCheck(state, turn);
  if (state.redirect !== null) return beginRedirect(state, turn);
  if (state.tokenWanted) return beginToken(state, turn);
  if (now >= state.hardAt) {
    return beginClosing(
      state,
      { failure: 'peerRefused', detail: 'the IKE SA could not be rekeyed in its lifetime' },
      turn,
    );
  }
  for (const child of family.children) {
    const over =
      (child.phase === 'live' && now >= child.hardAt) || (child.phase === 'superseded' && now >= child.retireAt);
    if (over) amendChild(family, child.spiIn, { phase: 'deleteWanted' });
  }
  if (family.children.some((child) => child.phase === 'deleteWanted')) return beginChildDelete(state, turn);
  if (now >= state.ticketAt && state.pending === null) return beginTicket(state, turn);
  return beginRekey(state, turn) ?? (now >= livenessAt(state) ? beginLiveness(state, turn) : state);
}

function beginRekey(state: Established, turn: Turn): Established | null {
  const { now } = turn;
  if (state.pending !== null) return null;
  if (now >= state.rekeyAt) return beginIkeRekey(state, turn);
  const due = state.family.children.find((child) => child.phase === 'live' && now >= child.rekeyAt);
  if (due !== undefined) return beginChild(state, due, turn);
  const policy = missingPolicy(state);
  return policy !== null && now >= recreateAt(state) ? beginChild(state, { policy }, turn) : null;
}
