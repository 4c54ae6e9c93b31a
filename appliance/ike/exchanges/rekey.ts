import { compareBytes } from '../../lib/bytes.ts';
import type { KeyExchange } from '../api.ts';
import { type generateKeyPair, keyExchangeId, keyExchangeOf } from '../crypto/key-exchange.ts';
import { groupOf } from '../negotiate.ts';
import { notifyTypes } from '../numbers.ts';
import type { Incoming, Nonces } from '../states.ts';
import type { Notify } from '../wire/notify.ts';
import { find, type Payload } from '../wire/payloads.ts';
import { linkOf } from './link.ts';

/* What the rekey of a child SA and that of an IKE SA have in common as initiator: the key exchange, and who wins a collision. */

type KeyPair = ReturnType<typeof generateKeyPair>;

/** The one that both ends took last time, if it may be: it saves the round trip of an INVALID_KE_PAYLOAD. */
export function firstMethod(allowed: readonly (KeyExchange | 'none')[], last: KeyExchange): KeyExchange | null {
  const methods = allowed.filter((method) => method !== 'none');
  return methods.find((method) => method === last) ?? methods[0] ?? null;
}

export function keyExchangePayload(keyPair: KeyPair): Payload {
  return { type: 'KE', body: { group: keyExchangeId(keyPair.method), data: keyPair.publicValue } };
}

/** The shared secret; null when the answer's KE does not belong to the method, or no honest peer sends it. */
export function agreed(keyPair: KeyPair | null, method: KeyExchange, message: Incoming) {
  const ke = find(message.payloads, 'KE');
  const fits = keyPair?.method === method && ke !== null && keyExchangeOf(ke.group) === method;
  return fits ? keyPair.agree(ke.data) : null;
}

/** RFC 7296 1.3: the group that the peer wants instead; null unless it is one of ours, and another than that just tried. */
export function otherGroup(
  error: Notify,
  tried: KeyExchange | undefined,
  allowed: readonly (KeyExchange | 'none')[],
): KeyExchange | null {
  const group = error.notify === notifyTypes.INVALID_KE_PAYLOAD ? groupOf(error.data) : null;
  return group !== null && group !== tried && allowed.includes(group) ? group : null;
}

/** What comes after a readable answer: the additional key exchange, the end of the exchange, or nothing that can be used. */
export function nextStep<Draft extends { readonly suite: { readonly additionalKeyExchange: unknown } }>(
  draft: Draft | null,
  message: Incoming,
): { readonly kind: 'useless' } | { readonly kind: 'done'; readonly draft: Draft } | FollowUp<Draft> {
  if (draft === null) return { kind: 'useless' };
  if (draft.suite.additionalKeyExchange === null) return { kind: 'done', draft };
  const link = linkOf(message);
  return link === null ? { kind: 'useless' } : { kind: 'followUp', draft, link };
}

interface FollowUp<Draft> {
  readonly kind: 'followUp';
  readonly draft: Draft;
  readonly link: Uint8Array;
}

/** RFC 7296 2.8.1: whether the lowest of the four nonces belongs to our exchange. */
export function losesTo(ours: Nonces, rival: Nonces): boolean {
  return compareBytes(lower(ours), lower(rival)) < 0;
}

function lower(nonces: Nonces): Uint8Array {
  return compareBytes(nonces.initiator, nonces.responder) < 0 ? nonces.initiator : nonces.responder;
}
