import type { Secret } from '../../lib/secret.ts';
import { openChannel } from '../channel.ts';
import { childKeys, type IkeSuite, rekeyedIkeKeys } from '../crypto/keys.ts';
import { type NewChild, retireMilliseconds } from '../family.ts';
import type { Channel, Established, Nonces } from '../states.ts';
import type { Turn } from '../turn.ts';
import { newEstablished } from './auth.ts';

/*
 * What CREATE_CHILD_SA has settled before the keys are made: with an additional key exchange, the secret of
 * IKE_FOLLOWUP_KE comes later (RFC 9370 2.2.4).
 */

export interface ChildDraft extends Omit<NewChild, 'keys'> {
  readonly nonces: Nonces;
  /** Null without forward secrecy. */
  readonly shared: Secret | null;
}

export interface IkeDraft {
  /** We began the exchange. */
  readonly initiator: boolean;
  readonly suite: IkeSuite;
  readonly spis: { readonly initiator: Uint8Array; readonly responder: Uint8Array };
  readonly nonces: Nonces;
  readonly shared: Secret;
  /** The peer's, if it could be told in this exchange (RFC 6290 4.4). */
  readonly crashToken?: Uint8Array | null;
}

export function childOf(channel: Channel, draft: ChildDraft, additional: readonly Secret[]): NewChild {
  const { suite, nonces, shared } = draft;
  const { d } = channel.keys;
  const keys = childKeys({ prf: channel.suite.prf, d, cipher: suite.cipher, nonces, shared, additional });
  return { ...draft, keys };
}

/** The new IKE SA, RFC 7296 2.18: message ids begin at 0, everything else goes on. It ends if it never becomes the owner. */
export function successorOf(
  state: Established,
  draft: IkeDraft,
  additional: readonly Secret[],
  turn: Turn,
): Established {
  const { suite, spis, nonces, shared, initiator } = draft;
  const { channel, peer, path, nat, family, rekeys, heardAt, mobike, caller, updateWanted, redirect } = state;
  const old = { prf: channel.suite.prf, d: channel.keys.d };
  const keys = rekeyedIkeKeys({ suite, nonces, spis, shared, additional }, old);
  // SK_d goes into the new keys, so what protected the old SA protects this one, too.
  const quantumSafe = suite.additionalKeyExchange ?? channel.quantumSafe;
  const ends = { initiator, spiInitiator: spis.initiator, spiResponder: spis.responder };
  const next = openChannel({ ...channel, ...ends, suite, keys, quantumSafe, resumed: false });
  const fresh = newEstablished({ peer, path, nat, channel: next }, 0, 0, turn);
  const tokenWanted = initiator && turn.world.options.crashSecret !== undefined;
  const kept = {
    family,
    heardAt,
    mobike,
    caller,
    updateWanted,
    redirect,
    tokenWanted,
    crashToken: draft.crashToken ?? null,
    // The ticket of the old SA is for its own SK_d.
    ticketAt: caller && peer.resumes === true ? turn.now : Number.POSITIVE_INFINITY,
  };
  return { ...fresh, ...kept, rekeys: rekeys + 1, retireAt: turn.now + retireMilliseconds };
}
