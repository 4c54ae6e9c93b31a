import { DecodeError, sameBytes } from '../../lib/bytes.ts';
import type { Path } from '../../lib/net.ts';
import type { Peer } from '../api.ts';
import { answer, beginClosing, sendRequest, withNextId } from '../channel.ts';
import { notifyTypes } from '../numbers.ts';
import type { Closing, Established, Incoming } from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { notifyOf } from '../wire/notify.ts';
import { notifies, type Payload } from '../wire/payloads.ts';
import { decodeRedirect, encodeRedirect } from '../wire/redirect.ts';

/*
 * REDIRECT, RFC 5685: a gateway sends its clients to another one, in IKE_SA_INIT without remembering anything, in IKE_AUTH when it
 * knows who it is, or later. The client that follows proves and is proved to there as it was here, so a forged redirect leads nowhere.
 */

const none = new Uint8Array();

/** How long a client that was told has to leave by itself. */
const leaveMilliseconds = 30_000;

/** In IKE_SA_INIT the initiator's nonce shows that the answer is to this very request. */
export function redirectPayload(gateway: string, nonce: Uint8Array = none): Extract<Payload, { type: 'N' }> {
  return { type: 'N', body: notifyOf('REDIRECT', encodeRedirect({ gateway, nonce })) };
}

export function redirectedFrom(gateway: string): Payload {
  return { type: 'N', body: notifyOf('REDIRECTED_FROM', encodeRedirect({ gateway, nonce: none })) };
}

/** Where the message sends us; null when it does not, or not in a way that counts. */
export function redirectIn(payloads: readonly Payload[], nonce: Uint8Array = none): string | null {
  const said = notifies(payloads).find(({ notify }) => notify === notifyTypes.REDIRECT);
  if (said === undefined) return null;
  try {
    const redirect = decodeRedirect(said.data);
    return sameBytes(redirect.nonce, nonce) ? redirect.gateway : null;
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

/** Reports where to call next. False: too often within five minutes, so the peer is given up here. */
export function follow(peer: Peer, gateway: string, path: Path, turn: Turn): boolean {
  if (!turn.world.mayFollow(peer.name, turn.now)) {
    const detail = `sent on more than five times, at last to ${gateway}`;
    report(turn, { kind: 'failed', peer: peer.name, failure: 'redirectLoop', detail, path });
    return false;
  }
  report(turn, { kind: 'redirected', peer: peer.name, gateway, from: path.remote.address });
  return true;
}

/** The gateway tells a client that is up. */
export function beginRedirect(state: Established, turn: Turn): Established {
  const { redirect, ...rest } = state;
  const payloads = redirect === null ? [] : [redirectPayload(redirect)];
  const sent = sendRequest(state, 'INFORMATIONAL', payloads, turn);
  const hardAt = Math.min(state.hardAt, turn.now + leaveMilliseconds);
  return { ...rest, redirect: null, hardAt, requests: withNextId(state.requests), task: { kind: 'told', sent } };
}

/** The client answers, and goes. */
export function respondRedirect(
  state: Established,
  message: Incoming,
  gateway: string,
  turn: Turn,
): Closing | Established {
  const answered = answer(state, message, [], turn);
  if (!follow(state.peer, gateway, state.path, turn)) return answered;
  return beginClosing(answered, { failure: 'redirected', detail: `to ${gateway}` }, turn);
}
