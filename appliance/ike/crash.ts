import { createHmac, timingSafeEqual } from 'node:crypto';
import { notifyTypes, protocols } from './numbers.ts';
import { type Notify, notifyOf } from './wire/notify.ts';
import { notifies, type Payload } from './wire/payloads.ts';

/*
 * Quick crash detection, RFC 6290: each end gives the other a token for the IKE SA that it can make again without remembering the
 * SA. An end that was restarted answers a request for an SA that it does not know with that token, and the SA is over at once.
 */

interface Spis {
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
}

/** RFC 6290 5.1: made of a secret that outlives a restart; without one there is no token. */
export function crashToken(secret: Uint8Array | undefined, { spiInitiator, spiResponder }: Spis): Payload[] {
  if (secret === undefined) return [];
  const mac = createHmac('sha256', secret).update('quick crash detection').update(spiInitiator).update(spiResponder);
  const notify = notifyOf('QUICK_CRASH_DETECTION', new Uint8Array(mac.digest()));
  return [{ type: 'N', body: { ...notify, protocol: protocols.IKE } }];
}

/** RFC 6290 4.1: 16 to 128 octets. */
export function tokenIn(received: readonly Notify[]): Uint8Array | null {
  const data = received.find(({ notify }) => notify === notifyTypes.QUICK_CRASH_DETECTION)?.data;
  return data !== undefined && data.length >= 16 && data.length <= 128 ? data : null;
}

/** Whether an unprotected message shows the token that only the peer itself could give. */
export function provesCrash(payloads: readonly Payload[], token: Uint8Array | null): boolean {
  const shown = tokenIn(notifies(payloads));
  return token !== null && shown !== null && shown.length === token.length && timingSafeEqual(shown, token);
}
