import { sameBytes } from '../../lib/bytes.ts';
import { abandonPending, answer, sendRequest, withNextId } from '../channel.ts';
import { encapsulateTo, generateKemKey } from '../crypto/kem.ts';
import { additionalId } from '../negotiate.ts';
import type { Closing, Established, Incoming } from '../states.ts';
import type { Pending, TaskOf } from '../tasks.ts';
import type { Turn } from '../turn.ts';
import { isError, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { childOf, successorOf } from './drafts.ts';
import { linkOf } from './link.ts';
import { finishChild, onChildRefused } from './rekey-child.ts';
import { finishIke, onIkeRefused } from './rekey-ike.ts';
import { takeIn } from './respond-child.ts';
import { settleSuccessor } from './respond-ike.ts';

/*
 * IKE_FOLLOWUP_KE, RFC 9370 2.2.4: the additional key exchange of a rekey. It follows CREATE_CHILD_SA, to which a notify
 * links it whose octets mean something to the responder only. Collisions are decided by the nonces of CREATE_CHILD_SA.
 */

const linkLength = 16;
/** Longer than the initiator goes on asking. */
const pendingMilliseconds = 40_000;

/** The initiator, after CREATE_CHILD_SA. */
export function beginFollowUp(
  state: Established,
  of: TaskOf<'followUp'>['of'],
  link: Uint8Array,
  turn: Turn,
): Established {
  const key = generateKemKey(turn.random);
  const payloads: Payload[] = [
    { type: 'KE', body: { group: additionalId, data: key.publicValue } },
    { type: 'N', body: notifyOf('ADDITIONAL_KEY_EXCHANGE', link) },
  ];
  const sent = sendRequest(state, 'IKE_FOLLOWUP_KE', payloads, turn);
  return { ...state, requests: withNextId(state.requests), task: { kind: 'followUp', sent, key, of } };
}

/** The initiator reads the answer; `state.task` is already cleared. */
export function onFollowUpAnswer(
  state: Established,
  task: TaskOf<'followUp'>,
  message: Incoming,
  turn: Turn,
): Established | Closing {
  const { of, key } = task;
  const ke = find(message.payloads, 'KE');
  const shared = ke?.group === additionalId ? key.decapsulate(ke.data) : null;
  if (shared === null) {
    of.draft.shared?.wipe();
    const error = notifies(message.payloads).find(isError) ?? notifyOf('INVALID_SYNTAX');
    return of.kind === 'child'
      ? onChildRefused(state, of.task, error, turn)
      : onIkeRefused(state, of.task, error, turn);
  }
  if (of.kind === 'child') return finishChild(state, of.task, { draft: of.draft, additional: [shared] }, turn);
  return finishIke(state, of.task, { draft: of.draft, additional: [shared] }, turn);
}

/** The responder of CREATE_CHILD_SA: answers it, and keeps what it settled until the additional key exchange. */
export function awaitFollowUp(
  state: Established,
  message: Incoming,
  { of, payloads }: { readonly of: Pending['of']; readonly payloads: readonly Payload[] },
  turn: Turn,
): Established {
  const free = abandonPending(state, turn);
  const link = turn.random(linkLength);
  const linked: Payload[] = [...payloads, { type: 'N', body: notifyOf('ADDITIONAL_KEY_EXCHANGE', link) }];
  const pending = { of, link, expiresAt: turn.now + pendingMilliseconds };
  return answer({ ...free, pending }, message, linked, turn);
}

/** The responder. */
export function respondFollowUp(state: Established, message: Incoming, turn: Turn): Established {
  const { pending } = state;
  const link = linkOf(message);
  if (pending === null || link === null || !sameBytes(link, pending.link)) {
    turn.world.count('followUpUnknown');
    return answer(state, message, [{ type: 'N', body: notifyOf('STATE_NOT_FOUND') }], turn);
  }
  const ke = find(message.payloads, 'KE');
  const encapsulated = ke?.group === additionalId ? encapsulateTo(ke.data) : null;
  if (encapsulated === null) {
    return answer(abandonPending(state, turn), message, [{ type: 'N', body: notifyOf('INVALID_SYNTAX') }], turn);
  }
  const { ciphertext, shared } = encapsulated;
  const payloads: Payload[] = [{ type: 'KE', body: { group: additionalId, data: ciphertext } }];
  const done: Established = { ...state, pending: null };
  const { of } = pending;
  if (of.kind === 'ike') {
    const successor = successorOf(done, of.draft, [shared], turn);
    return settleSuccessor(answer(done, message, payloads, turn), successor, of.draft.nonces, turn);
  }
  const child = childOf(done.channel, of.draft, [shared]);
  const next = takeIn(done, child, { replaces: of.replaces, nonces: of.draft.nonces }, turn);
  return answer(next, message, payloads, turn);
}
