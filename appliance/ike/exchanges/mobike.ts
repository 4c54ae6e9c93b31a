import { sameBytes } from '../../lib/bytes.ts';
import type { Path } from '../../lib/net.ts';
import { answer, beginClosing, owns, sendRequest, withNextId } from '../channel.ts';
import { amendChild, encapsulationOf, tunnelsOf } from '../family.ts';
import { detectNat, type Nat, natNotifies } from '../nat.ts';
import { notifyTypes } from '../numbers.ts';
import type { Closing, Established, Incoming } from '../states.ts';
import type { TaskOf } from '../tasks.ts';
import type { Turn } from '../turn.ts';
import { isError, notifyOf } from '../wire/notify.ts';
import { notifies, type Payload } from '../wire/payloads.ts';

/*
 * MOBIKE, RFC 4555: the box that called goes to another address, and its SAs go along. ESP moves at once on our side;
 * the peer moves when it gets UPDATE_SA_ADDRESSES, to the address in the IP header, and then asks with a cookie whether
 * we are really there. A peer without MOBIKE sees a fresh authentic message from the new address instead (RFC 7296 2.23).
 */

const cookieLength = 16;

/** Ports stay as they are: the SA may have gone to the NAT traversal port since the call. */
export function moveTo(state: Established, path: Path, turn: Turn): Established {
  const local = { ...path.local, port: state.path.local.port };
  const remote = { ...path.remote, port: state.path.remote.port };
  const moved = { ...state, path: { local, remote }, updateWanted: true };
  moveTunnels(moved, turn);
  const { task } = moved;
  if (task === null) return moved;
  // What is under way goes on from the new address with the same octets (RFC 4555 3.5).
  const retry = { ...task.sent.retry, nextAt: turn.now };
  return { ...moved, task: { ...task, sent: { ...task.sent, retry } } };
}

function moveTunnels(state: Established, turn: Turn): void {
  if (!owns(state)) return;
  for (const tunnel of tunnelsOf(state.family)) turn.emit({ kind: 'movePath', tunnel, path: state.path });
}

function addresses(state: Established, turn: Turn): Payload[] {
  const pretends = state.peer.encapsulation === 'udp' && !state.nat.local && !state.nat.remote;
  return natNotifies(state.channel, state.path, pretends ? turn.random(20) : null);
}

/** The box that called tells where it is now. */
export function beginUpdate(state: Established, turn: Turn): Established {
  const calm = { ...state, updateWanted: false };
  const mayUpdate = state.mobike && state.caller;
  const update: Payload[] = [{ type: 'N', body: notifyOf('UPDATE_SA_ADDRESSES') }, ...addresses(state, turn)];
  const sent = sendRequest(calm, 'INFORMATIONAL', mayUpdate ? update : [], turn);
  return { ...calm, requests: withNextId(state.requests), task: { kind: 'update', sent } };
}

export function onUpdateAnswer(state: Established, message: Incoming, turn: Turn): Established {
  const received = notifies(message.payloads);
  if (received.some(isError)) {
    turn.world.count('moveRefused');
    return state;
  }
  return withNat(state, detectNat(state.channel, received, message.path), turn);
}

/** Keepalives and the form of ESP are fixed when a child SA is installed, so a change needs new ones. */
function withNat(state: Established, nat: Nat, turn: Turn): Established {
  const next = { ...state, nat };
  if (!owns(state)) return next;
  const encapsulation = encapsulationOf(next, turn);
  for (const child of state.family.children) {
    const stale = child.encapsulation !== encapsulation || nat.local !== state.nat.local;
    if (stale && child.phase === 'live') amendChild(state.family, child.spiIn, { rekeyAt: turn.now });
  }
  return next;
}

/** The portal follows. */
export function respondUpdate(state: Established, message: Incoming, turn: Turn): Established {
  const nat = detectNat(state.channel, notifies(message.payloads), message.path);
  const moved = withNat({ ...state, path: message.path }, nat, turn);
  moveTunnels(moved, turn);
  const answered = answer(moved, message, [...addresses(moved, turn), ...echoes(message)], turn);
  return { ...answered, checkWanted: true };
}

/** RFC 4555 3.7: whoever asks with a cookie gets it back. */
export function echoes(message: Incoming): Payload[] {
  const asked = notifies(message.payloads).filter(({ notify }) => notify === notifyTypes.COOKIE2);
  return asked.slice(0, 1).map(({ data }) => ({ type: 'N', body: notifyOf('COOKIE2', data) }));
}

/** The return routability check of RFC 4555 3.7: somebody could have changed the source address on the way. */
export function beginCheck(state: Established, turn: Turn): Established {
  const cookie = turn.random(cookieLength);
  const sent = sendRequest(state, 'INFORMATIONAL', [{ type: 'N', body: notifyOf('COOKIE2', cookie) }], turn);
  const task = { kind: 'check', sent, cookie } as const;
  return { ...state, requests: withNextId(state.requests), checkWanted: false, task };
}

export function onCheckAnswer(
  state: Established,
  task: TaskOf<'check'>,
  message: Incoming,
  turn: Turn,
): Established | Closing {
  const cookie = notifies(message.payloads).find(({ notify }) => notify === notifyTypes.COOKIE2)?.data;
  if (cookie !== undefined && sameBytes(cookie, task.cookie)) return state;
  return beginClosing(state, { failure: 'invalidAnswer', detail: 'the return routability check failed' }, turn);
}
