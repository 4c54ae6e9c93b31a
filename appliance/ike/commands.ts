import { compareBytes, sameBytes } from '../lib/bytes.ts';
import { abandonTask, beginClosing, drop, owns } from './channel.ts';
import { wipeKeys } from './crypto/keys.ts';
import { forgetAuth } from './exchanges/auth-initiator.ts';
import { amendChild, closeFamily } from './family.ts';
import { exchangeTypes, notifyTypes, payloadTypes } from './numbers.ts';
import type { Raw } from './sa.ts';
import { type Closed, type Closing, closed, type Established, type IkeState } from './states.ts';
import { report, type Turn } from './turn.ts';

/* What the endpoint does to an SA that is no message: commands, hints, faults, and who replaces whom. */

/** Two SAs whose ends called each other within this time are a crossing, not a replacement. */
const crossingMilliseconds = 10_000;

export function rekeyNow(state: Established, what: 'child' | 'ike', now: number): Established {
  if (what === 'ike') return { ...state, rekeyAt: now };
  for (const child of state.family.children) amendChild(state.family, child.spiIn, { rekeyAt: now });
  return state;
}

/** `spi` is of either direction: an outbound SA nears the end of its sequence numbers. */
export function expireNow(state: Established, spi: number, now: number): Established {
  const child = state.family.children.find((each) => each.spiOut === spi || each.spiIn === spi);
  if (child) amendChild(state.family, child.spiIn, { rekeyAt: now });
  return state;
}

/** Whether the SPI of the other end is the one that the SA was made with. */
export function belongs(state: IkeState, theirs: Uint8Array): boolean {
  if (!('channel' in state)) return true; // not known yet, or only an answer is left
  const { initiator, spiInitiator, spiResponder } = state.channel;
  return sameBytes(theirs, initiator ? spiResponder : spiInitiator);
}

/** Only for clients of ours that can be sent elsewhere. */
export function redirectNow(state: Established, gateway: string | null): Established {
  return !state.caller && state.channel.redirects ? { ...state, redirect: gateway } : state;
}

/** An unprotected INVALID_IKE_SPI (RFC 7296 2.21.4): type, no SPI, nothing else. */
export function isSpiHint({ header, bytes }: Raw): boolean {
  if (!header.response || header.nextPayload !== payloadTypes.N) return false;
  if (header.exchange === exchangeTypes.IKE_SA_INIT || bytes.length < 36) return false;
  return (((bytes[34] ?? 0) << 8) | (bytes[35] ?? 0)) === notifyTypes.INVALID_IKE_SPI;
}

/**
 * Which of two IKE SAs with the same peer goes. When both ends called at the same time, both see both and must agree:
 * the one with the lower initiator's SPI stays. Otherwise the older one goes.
 */
export function supplanted(fresh: Established, old: Established): 'fresh' | 'old' {
  const crossed = fresh.channel.initiator !== old.channel.initiator;
  if (!crossed || fresh.createdAt - old.createdAt > crossingMilliseconds) return 'old';
  return compareBytes(fresh.channel.spiInitiator, old.channel.spiInitiator) > 0 ? 'fresh' : 'old';
}

/** After INITIAL_CONTACT the peer knows nothing of it, so there is nobody to send a DELETE to. */
export function replace(state: Established, by: Established, turn: Turn): Closing | Closed {
  const reason = { failure: 'replaced', detail: 'a newer IKE SA with the same peer' } as const;
  return by.initialContact && by !== state ? drop(state, reason, turn) : beginClosing(state, reason, turn);
}

/** The last step of an SA in which something went wrong that nobody foresaw. */
export function endAfterFault(state: IkeState, turn: Turn): Closed {
  release(state, turn);
  if (state.name !== 'established' || !owns(state)) return closed;
  closeFamily(state, turn);
  state.family.owner = 'none';
  report(turn, { kind: 'ikeClosed', peer: state.peer.name, failure: 'invalidAnswer', detail: 'internal fault' });
  return closed;
}

/** Gives back and wipes what an SA has that ends without any more words. */
export function release(state: IkeState, turn: Turn): void {
  if (state.name === 'authSent') forgetAuth(state, turn);
  else if (state.name === 'resumeSent') state.held.d.wipe();
  else if ('channel' in state) wipeKeys(state.channel.keys);
  if (state.name === 'established') abandonTask(state, turn);
}
