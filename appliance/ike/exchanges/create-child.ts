import { Reader } from '../../lib/bytes.ts';
import { answer, owns, saKey } from '../channel.ts';
import { childBy } from '../family.ts';
import { notifyTypes, protocols } from '../numbers.ts';
import type { Established, Incoming } from '../states.ts';
import { rekeyOf } from '../tasks.ts';
import type { Turn } from '../turn.ts';
import { type Notify, notifyAboutEsp, notifyOf } from '../wire/notify.ts';
import { find, notifies } from '../wire/payloads.ts';
import { respondChild } from './respond-child.ts';
import { handOver, respondIkeRekey } from './respond-ike.ts';

/* The table of RFC 7296 2.25: what a CREATE_CHILD_SA request meets, and what it is told. */

export function respondCreateChild(state: Established, message: Incoming, turn: Turn): Established {
  const [first] = find(message.payloads, 'SA') ?? [];
  const rekeySa = notifies(message.payloads).find(({ notify }) => notify === notifyTypes.REKEY_SA);
  // The peer uses this SA for more than its end: it has decided that it is the one that stays.
  if (state.family.heir === saKey(state.channel)) handOver(state, saKey(state.channel), turn);
  if (!owns(state)) return refuse(state, message, notifyOf('TEMPORARY_FAILURE'), turn);
  if (first?.protocol === protocols.IKE) return onIkeRekey(state, message, turn);
  const ours = state.task && rekeyOf(state.task);
  if (ours?.kind === 'ike') return refuse(state, message, notifyOf('TEMPORARY_FAILURE'), turn);
  return rekeySa ? onChildRekey(state, message, rekeySa, turn) : onNewChild(state, message, turn);
}

function refuse(state: Established, message: Incoming, notify: Notify, turn: Turn): Established {
  turn.world.count('createChildRefused');
  return answer(state, message, [{ type: 'N', body: notify }], turn);
}

function onIkeRekey(state: Established, message: Incoming, turn: Turn): Established {
  const ours = state.task && rekeyOf(state.task);
  const busy = ours?.kind === 'child' || state.task?.kind === 'delete' || state.family.heir !== null;
  if (busy) return refuse(state, message, notifyOf('TEMPORARY_FAILURE'), turn);
  return respondIkeRekey(state, message, turn);
}

function onChildRekey(state: Established, message: Incoming, rekeySa: Notify, turn: Turn): Established {
  if (rekeySa.protocol !== protocols.ESP || rekeySa.spi.length !== 4) {
    return refuse(state, message, notifyOf('INVALID_SYNTAX'), turn);
  }
  const spiOut = new Reader(rekeySa.spi).u32();
  const child = childBy(state.family, { spiOut });
  if (child === null) return refuse(state, message, notifyAboutEsp('CHILD_SA_NOT_FOUND', spiOut), turn);
  const ours = state.task && rekeyOf(state.task);
  const again = ours?.kind === 'child' && ours.replaces === child.spiIn && ours.rival !== null;
  if (child.phase !== 'live' || again) return refuse(state, message, notifyOf('TEMPORARY_FAILURE'), turn);
  return respondChild(state, message, child, turn);
}

/** While we make one, it is open which policies are free. */
function onNewChild(state: Established, message: Incoming, turn: Turn): Established {
  if (state.task && rekeyOf(state.task)?.kind === 'child') {
    return refuse(state, message, notifyOf('TEMPORARY_FAILURE'), turn);
  }
  return respondChild(state, message, null, turn);
}
