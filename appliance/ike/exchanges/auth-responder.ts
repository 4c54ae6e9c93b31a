import type { Failure, Peer } from '../api.ts';
import { answer, exchangeNameOf, sendMessage } from '../channel.ts';
import { crashToken, tokenIn } from '../crash.ts';
import { wipeKeys, wipeMixed } from '../crypto/keys.ts';
import { prove, proves, resumedAuth, type SignedOctets, strangersKey } from '../crypto/proof.ts';
import { additionalOf } from '../negotiate.ts';
import { notifyTypes } from '../numbers.ts';
import type { Channel, Established, Incoming, InitAnswered, Spent } from '../states.ts';
import { report, type Turn } from '../turn.ts';
import type { Authentication } from '../wire/authentication.ts';
import { type Identification, identificationOf } from '../wire/identification.ts';
import { type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { certificatePayloads, certificatesIn, disbelief, mobikeSupported, newEstablished, printed } from './auth.ts';
import { respondFirstChild } from './first-child.ts';
import { adoptPpk, namesPpk, ppkAgreed, ppkKeys, proofWithoutPpk } from './ppk.ts';
import { redirectPayload } from './redirect.ts';
import { grantedTicket } from './session-resume.ts';

/* IKE_AUTH as responder, RFC 7296 1.2. Until the proof is checked, all that a peer learns is AUTHENTICATION_FAILED. */

/** How long a peer that was sent elsewhere has to delete its SA. */
const leaveMilliseconds = 30_000;
/** How long the answer to a refused IKE_AUTH is kept for retransmissions. */
const refusedMilliseconds = 40_000;

export function respondAuth(state: InitAnswered, message: Incoming, turn: Turn): Established | Spent {
  const { payloads } = message;
  const remote = find(payloads, 'IDi');
  const proof = find(payloads, 'AUTH');
  if (remote === null) return refuseAuth(state, message, { peer: null, detail: 'no IDi' }, turn);
  const peer = turn.world.peerFor(remote, find(payloads, 'IDr'));
  const another = state.ticketOf !== undefined && state.ticketOf !== peer?.name;
  if (peer === null || proof === null || another) {
    // No AUTH would ask for EAP, which moat has not.
    if (proof !== null) proves(strangersKey, proof, signedBy(state, state.channel, remote));
    return refuseAuth(state, message, { peer: null, detail: `identity ${printed(remote)}` }, turn);
  }
  const claimed = claimOf(state, peer, payloads, proof);
  if (claimed === null) {
    const detail = `${printed(remote)} does not name the PPK that is required of it`;
    return refuseAuth(state, message, { peer: peer.name, failure: 'ppkRequired', detail }, turn);
  }
  const { channel } = claimed;
  const signed = signedBy(state, channel, remote);
  const certificates = certificatesIn(payloads);
  const doubt = disbelief(
    channel.resumed ? resumedAuth : peer.remoteAuth,
    { identification: remote, proof: claimed.proof, signed, certificates },
    turn,
  );
  if (doubt !== null) return refuseAuth({ ...state, channel }, message, { peer: peer.name, ...doubt }, turn);
  // In IKE_SA_INIT it was not known who calls; now it is, and this peer's own lists bind.
  if (!allowsSuite(peer, channel)) {
    const detail = 'the algorithms are not among those of this peer';
    return refuseAuth({ ...state, channel }, message, { peer: peer.name, detail }, turn);
  }
  return acceptAuth({ ...state, channel }, { peer, withPpk: claimed.withPpk }, message, turn);
}

function signedBy(state: InitAnswered, channel: Channel, remote: Identification): SignedOctets {
  return {
    prf: channel.suite.prf,
    message: state.init.request,
    nonce: state.nonces.responder,
    key: channel.keys.pi,
    identification: remote.body,
    intAuth: state.intAuth,
  };
}

interface Claimed {
  readonly channel: Channel;
  readonly proof: Authentication;
  readonly withPpk: boolean;
}

/** RFC 8784 3: with the PPK that the peer names if it is ours, without if that may be. Null: a required one is missing. */
function claimOf(
  { channel }: InitAnswered,
  peer: Peer,
  payloads: readonly Payload[],
  proof: Authentication,
): Claimed | null {
  const mixed = ppkKeys(peer, channel);
  if (mixed !== null && peer.ppk && namesPpk(payloads, peer.ppk)) {
    return { channel: adoptPpk(channel, mixed), proof, withPpk: true };
  }
  if (mixed !== null) wipeMixed(mixed);
  if (peer.ppk?.required === true && !channel.resumed) return null;
  return { channel, proof: proofWithoutPpk(payloads, proof), withPpk: false };
}

function allowsSuite(peer: Peer, { suite }: Channel): boolean {
  const { ciphers, prfs, keyExchanges } = peer.ike;
  const additional = additionalOf(peer.ike).includes(suite.additionalKeyExchange ?? 'none');
  const first = ciphers.includes(suite.cipher) && prfs.includes(suite.prf);
  return first && additional && keyExchanges.includes(suite.keyExchange);
}

function refuseAuth(
  state: InitAnswered,
  message: Incoming,
  who: { readonly peer: string | null; readonly failure?: Failure; readonly detail: string },
  turn: Turn,
): Spent {
  report(turn, { kind: 'failed', failure: 'peerAuthenticationFailed', ...who, path: message.path });
  return refuseWith(state, message, notifyOf('AUTHENTICATION_FAILED'), turn);
}

/** An encrypted refusal that ends the SA; it is kept for a peer that asks again. */
export function refuseWith(state: InitAnswered, message: Incoming, notify: Notify, turn: Turn): Spent {
  const { messageId } = message.header;
  const head = { exchange: exchangeNameOf(message), messageId, response: true };
  const datagrams = sendMessage(state.channel, head, [{ type: 'N', body: notify }], { path: message.path, turn });
  wipeKeys(state.channel.keys);
  const answered = { request: message.bytes, answer: datagrams };
  return { name: 'spent', answered, expiresAt: turn.now + refusedMilliseconds };
}

function acceptAuth(
  state: InitAnswered,
  { peer, withPpk }: { readonly peer: Peer; readonly withPpk: boolean },
  message: Incoming,
  turn: Turn,
): Established | Spent {
  const { channel, nat, nonces } = state;
  const identification = identificationOf(peer.localId);
  const signed: SignedOctets = {
    prf: channel.suite.prf,
    message: state.init.answer,
    nonce: nonces.initiator,
    key: channel.keys.pr,
    identification: identification.body,
    intAuth: state.intAuth,
  };
  const proof = prove(channel.resumed ? resumedAuth : peer.localAuth, signed, channel.signatureHashes);
  if (proof === null) {
    const detail = 'the peer takes no signature of the kind that our key makes';
    return refuseAuth(state, message, { peer: peer.name, failure: 'authenticationFailed', detail }, turn);
  }
  // The path of this message: the initiator may have gone to the NAT traversal port.
  const fresh = newEstablished({ peer, channel, nat, path: message.path }, 0, state.expected, turn);
  const says = (type: number) => notifies(message.payloads).some(({ notify }) => notify === type);
  const mobike = says(notifyTypes.MOBIKE_SUPPORTED);
  const crash = tokenIn(notifies(message.payloads));
  const established = { ...fresh, mobike, initialContact: says(notifyTypes.INITIAL_CONTACT), crashToken: crash };
  const elsewhere = channel.redirects ? (peer.redirectTo ?? null) : null;
  if (elsewhere === null) report(turn, { kind: 'ikeEstablished', peer: peer.name, rekeyed: false });
  const child =
    elsewhere === null ? respondFirstChild(established, nonces, message, turn) : [redirectPayload(elsewhere)];
  const payloads: Payload[] = [
    { type: 'IDr', body: identification },
    ...(channel.resumed ? [] : certificatePayloads(peer.localAuth)),
    { type: 'AUTH', body: proof },
    ...(withPpk ? [ppkAgreed] : []),
    ...child,
    ...(mobike ? [mobikeSupported] : []),
    ...crashToken(turn.world.options.crashSecret, channel),
    ...grantedTicket(established, message, turn),
  ];
  if (elsewhere === null) return answer(established, message, payloads, turn);
  established.family.owner = 'none'; // it never was one that could be lost
  return { ...answer(established, message, payloads, turn), retireAt: turn.now + leaveMilliseconds };
}
