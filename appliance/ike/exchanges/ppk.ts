import { concat, sameBytes } from '../../lib/bytes.ts';
import type { Peer, Ppk } from '../api.ts';
import { type IkeKeys, wipeMixed, withPpk } from '../crypto/keys.ts';
import { notifyTypes } from '../numbers.ts';
import type { Channel } from '../states.ts';
import type { Authentication } from '../wire/authentication.ts';
import { notifyOf } from '../wire/notify.ts';
import { notifies, type Payload } from '../wire/payloads.ts';

/*
 * Post-quantum pre-shared keys, RFC 8784: USE_PPK in IKE_SA_INIT says that an end has one; in IKE_AUTH the initiator names it and,
 * if it is not required, proves itself a second time without, for a responder that does not know the name.
 */

/** RFC 8784 5.1: a name that was configured. */
const fixedName = 2;

/** The keys with the PPK in them, if it may be used with this peer. */
export function ppkKeys(peer: Peer, channel: Channel): IkeKeys | null {
  return peer.ppk && channel.ppk ? withPpk(channel.suite.prf, peer.ppk.secret, channel.keys) : null;
}

/** The initiator's notifies; `without` is its proof by the keys without PPK. */
export function ppkOffer(ppk: Ppk, without: Authentication): Payload[] {
  const name = concat(Uint8Array.of(fixedName), new Uint8Array(Buffer.from(ppk.id, 'utf8')));
  const identity: Payload = { type: 'N', body: notifyOf('PPK_IDENTITY', name) };
  return ppk.required ? [identity] : [identity, { type: 'N', body: notifyOf('NO_PPK_AUTH', without.data) }];
}

/** The responder's agreement, without data. */
export const ppkAgreed: Payload = { type: 'N', body: notifyOf('PPK_IDENTITY') };

export function saysPpk(payloads: readonly Payload[]): boolean {
  return notifies(payloads).some(({ notify }) => notify === notifyTypes.PPK_IDENTITY);
}

/** Whether the initiator names the one that we have for it. */
export function namesPpk(payloads: readonly Payload[], ppk: Ppk): boolean {
  const named = notifies(payloads).find(({ notify }) => notify === notifyTypes.PPK_IDENTITY);
  return named !== undefined && sameBytes(named.data.subarray(1), new Uint8Array(Buffer.from(ppk.id, 'utf8')));
}

/** The proof that holds when the PPK is not used: the second one, if there are two. */
export function proofWithoutPpk(payloads: readonly Payload[], proof: Authentication): Authentication {
  const second = notifies(payloads).find(({ notify }) => notify === notifyTypes.NO_PPK_AUTH);
  return second === undefined ? proof : { ...proof, data: second.data };
}

/** From now on the SA has these keys. */
export function adoptPpk(channel: Channel, keys: IkeKeys): Channel {
  wipeMixed(channel.keys);
  return { ...channel, keys, quantumSafe: channel.quantumSafe ?? 'ppk' };
}
