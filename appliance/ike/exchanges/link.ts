import { notifyTypes } from '../numbers.ts';
import type { Incoming } from '../states.ts';
import { notifies } from '../wire/payloads.ts';

/** RFC 9370 2.2.4: the octets of ADDITIONAL_KEY_EXCHANGE, to be sent back as they are. */
export function linkOf(message: Incoming): Uint8Array | null {
  return notifies(message.payloads).find(({ notify }) => notify === notifyTypes.ADDITIONAL_KEY_EXCHANGE)?.data ?? null;
}
