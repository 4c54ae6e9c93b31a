import type { Failure, Peer } from '../api.ts';
import { beginClosing, sendMessage } from '../channel.ts';
import { crashToken, tokenIn } from '../crash.ts';
import { type IkeKeys, wipeKeys, wipeMixed } from '../crypto/keys.ts';
import { prove, resumedAuth, type SignedOctets } from '../crypto/proof.ts';
import { notifyName, notifyTypes } from '../numbers.ts';
import { firstRetry, newSaSeconds } from '../retransmit.ts';
import {
  type AuthSent,
  type Channel,
  type Closed,
  type Closing,
  closed,
  type Established,
  type Incoming,
} from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { type Identification, identificationOf, isIdentity } from '../wire/identification.ts';
import { isError, type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { ownCertificateProblem } from '../x509/trust.ts';
import {
  type Agreement,
  certificatePayloads,
  certificateRequest,
  certificatesIn,
  disbelief,
  mobikeSupported,
  newEstablished,
  pathFrom,
  printed,
} from './auth.ts';
import { installFirstChild, offerFirstChild } from './first-child.ts';
import { adoptPpk, ppkKeys, ppkOffer, saysPpk } from './ppk.ts';
import { follow, redirectIn } from './redirect.ts';
import { keepTicket, ticketRequest } from './session-resume.ts';

/* IKE_AUTH as initiator, RFC 7296 1.2: who we are, the first child SA, and who the peer is. */

/** Where IKE_AUTH stands: behind IKE_INTERMEDIATE, if there was one. */
interface Place {
  readonly messageId: number;
  readonly intAuth: Uint8Array;
}

export function beginAuth(agreement: Agreement, place: Place, turn: Turn): AuthSent | Closed {
  const { state, channel, nat, nonces, initAnswer } = agreement;
  const { peer } = state;
  const path = pathFrom(state.sent.path, nat, peer, turn);
  const mixed = ppkKeys(peer, channel);
  const proofs = proofsOf(agreement, place, mixed);
  if (proofs === null) return unprovable(peer, { channel, mixed, path }, turn);
  const childSpi = peer.childless === true && channel.childless ? null : turn.world.newEspSpi(turn);
  const payloads: Payload[] = [
    { type: 'IDi', body: identificationOf(peer.localId) },
    ...(channel.resumed ? [] : certificatePayloads(peer.localAuth)),
    ...(turn.world.hasEstablished(peer.name) ? [] : [initialContact]),
    ...(channel.resumed ? [] : certificateRequest([peer.remoteAuth])),
    { type: 'IDr', body: identificationOf(peer.remoteId) },
    ...proofs,
    ...(childSpi === null ? [] : offerFirstChild(peer, channel, childSpi)),
    mobikeSupported,
    ...(peer.resumes === true ? [ticketRequest] : []),
    ...crashToken(turn.world.options.crashSecret, channel),
  ];
  const { messageId, intAuth } = place;
  const head = { exchange: 'IKE_AUTH', messageId, response: false } as const;
  const datagrams = sendMessage(channel, head, payloads, { path, turn });
  const retry = { ...firstRetry(turn, newSaSeconds), giveUpAt: state.sent.retry.giveUpAt };
  const sent = { datagrams, messageId, path, retry };
  return { name: 'authSent', peer, channel, path, nat, nonces, initAnswer, intAuth, childSpi, ppkKeys: mixed, sent };
}

const initialContact: Payload = { type: 'N', body: notifyOf('INITIAL_CONTACT') };

/** AUTH, and with a PPK what goes with it; null when our key can sign nothing that the peer can read. */
function proofsOf({ state, channel, nonces }: Agreement, { intAuth }: Place, mixed: IkeKeys | null): Payload[] | null {
  const { peer } = state;
  const { prf } = channel.suite;
  const { body } = identificationOf(peer.localId);
  const proofBy = ({ pi }: IkeKeys) => {
    const signed = { prf, message: state.request, nonce: nonces.responder, key: pi, identification: body, intAuth };
    return prove(channel.resumed ? resumedAuth : peer.localAuth, signed, channel.signatureHashes);
  };
  const plain = proofBy(channel.keys);
  if (plain === null) return null;
  if (mixed === null || peer.ppk === undefined) return [{ type: 'AUTH', body: plain }];
  const proof = proofBy(mixed);
  return proof && [{ type: 'AUTH', body: proof }, ...ppkOffer(peer.ppk, plain)];
}

function unprovable(
  peer: Peer,
  { channel, mixed, path }: { channel: Channel; mixed: IkeKeys | null; path: AuthSent['path'] },
  turn: Turn,
): Closed {
  if (mixed !== null) wipeMixed(mixed);
  wipeKeys(channel.keys);
  const detail = 'the peer takes no signature of the kind that our key makes';
  report(turn, { kind: 'failed', peer: peer.name, failure: 'authenticationFailed', detail, path });
  return closed;
}

/** The initiator reads the answer to IKE_AUTH. */
export function onAuthAnswer(state: AuthSent, message: Incoming, turn: Turn): Established | Closing | Closed {
  const { payloads } = message;
  const error = notifies(payloads).find(isError);
  const remote = find(payloads, 'IDr');
  const proof = find(payloads, 'AUTH');
  if (remote === null || proof === null) return failAuth(state, refusalOf(state, error, turn), turn);
  const settled = settlePpk(state, payloads);
  if (settled === null) {
    const detail = `${state.peer.name} has not the PPK that is required here`;
    return denounce(state, { failure: 'ppkRequired', detail }, turn);
  }
  const doubt = doubtOf(settled, remote, message, turn);
  if (doubt !== null) return denounce(settled, doubt, turn);
  return onAuthenticated(settled, message, error, turn);
}

function refusalOf(state: AuthSent, error: Notify | undefined, turn: Turn): { failure: Failure; detail: string } {
  if (error === undefined) return { failure: 'invalidAnswer', detail: 'IKE_AUTH without IDr or AUTH' };
  const detail = notifyName(error.notify);
  if (error.notify !== notifyTypes.AUTHENTICATION_FAILED) return { failure: 'peerRefused', detail };
  const { localAuth } = state.peer;
  const at = turn.world.options.timeOfDay(turn.now);
  const problem = localAuth.kind === 'x509' ? ownCertificateProblem(localAuth.chain, at) : null;
  return problem === null
    ? { failure: 'authenticationFailed', detail }
    : { failure: 'ownCertificateTime', detail: problem };
}

/** RFC 8784 3: the responder says whether the PPK is used. Null: it is not, and has to be. */
function settlePpk(state: AuthSent, payloads: readonly Payload[]): AuthSent | null {
  const { ppkKeys: mixed, channel, peer } = state;
  if (mixed !== null && saysPpk(payloads)) return { ...state, channel: adoptPpk(channel, mixed), ppkKeys: null };
  // What the ticket stands for was agreed under the same rules.
  if (peer.ppk?.required === true && !channel.resumed) return null;
  if (mixed !== null) wipeMixed(mixed);
  return { ...state, ppkKeys: null };
}

function doubtOf(
  state: AuthSent,
  remote: Identification,
  message: Incoming,
  turn: Turn,
): { failure: Failure; detail: string } | null {
  const { channel, peer } = state;
  const proof = find(message.payloads, 'AUTH');
  if (!isIdentity(remote, peer.remoteId)) {
    return { failure: 'peerIdentityMismatch', detail: `the peer says it is ${printed(remote)}` };
  }
  if (proof === null) return { failure: 'invalidAnswer', detail: 'IKE_AUTH without AUTH' };
  const signed: SignedOctets = {
    prf: channel.suite.prf,
    message: state.initAnswer,
    nonce: state.nonces.initiator,
    key: channel.keys.pr,
    identification: remote.body,
    intAuth: state.intAuth,
  };
  const certificates = certificatesIn(message.payloads);
  const auth = channel.resumed ? resumedAuth : peer.remoteAuth;
  return disbelief(auth, { identification: remote, proof, signed, certificates }, turn);
}

export function failAuth(state: AuthSent, why: { failure: Failure; detail: string }, turn: Turn): Closed {
  forgetAuth(state, turn);
  report(turn, { kind: 'failed', peer: state.peer.name, ...why, path: state.path });
  return closed;
}

/** Gives back what an attempt holds. */
export function forgetAuth({ childSpi, ppkKeys: mixed, channel }: AuthSent, turn: Turn): void {
  if (childSpi !== null) turn.world.freeEspSpi(childSpi);
  if (mixed !== null) wipeMixed(mixed);
  wipeKeys(channel.keys);
}

/** RFC 7296 2.21.2: the responder believes that the SA is up and is told, once, that it is not. */
function denounce(state: AuthSent, why: { failure: Failure; detail: string }, turn: Turn): Closed {
  const head = { exchange: 'INFORMATIONAL', messageId: state.sent.messageId + 1, response: false } as const;
  const payloads: Payload[] = [{ type: 'N', body: notifyOf('AUTHENTICATION_FAILED') }];
  sendMessage(state.channel, head, payloads, { path: state.path, turn });
  return failAuth(state, why, turn);
}

/** RFC 5685 6: sent on in IKE_AUTH; the SA has nothing to carry. */
function leave(established: Established, { childSpi }: AuthSent, gateway: string, turn: Turn): Closing {
  if (childSpi !== null) turn.world.freeEspSpi(childSpi);
  follow(established.peer, gateway, established.path, turn);
  established.family.owner = 'none';
  return beginClosing(established, { failure: null, detail: '' }, turn);
}

function onAuthenticated(
  state: AuthSent,
  message: Incoming,
  error: Notify | undefined,
  turn: Turn,
): Established | Closing {
  const { peer, channel, nat } = state;
  const path = nat.local ? state.path : message.path;
  const fresh = newEstablished({ peer, channel, nat, path }, state.sent.messageId + 1, 0, turn);
  const mobike = notifies(message.payloads).some(({ notify }) => notify === notifyTypes.MOBIKE_SUPPORTED);
  const told = { ...fresh, mobike, crashToken: tokenIn(notifies(message.payloads)) };
  const ticketAt = peer.resumes === true ? keepTicket(told, message, turn) : told.ticketAt;
  const established = { ...told, ticketAt };
  const gateway = redirectIn(message.payloads);
  if (gateway !== null && peer.followRedirects === true) return leave(established, state, gateway, turn);
  if (state.childSpi === null) {
    report(turn, { kind: 'ikeEstablished', peer: peer.name, rekeyed: false });
    return established;
  }
  const problem = error === undefined ? installFirstChild(established, state, message, turn) : notifyName(error.notify);
  if (problem === null) {
    report(turn, { kind: 'ikeEstablished', peer: peer.name, rekeyed: false });
    const [child] = established.family.children;
    if (child) report(turn, { kind: 'childEstablished', peer: peer.name, tunnel: child.tunnel, rekeyed: false });
    return established;
  }
  // An IKE SA without a child carries nothing: the caller is told and may begin again.
  turn.world.freeEspSpi(state.childSpi);
  report(turn, { kind: 'failed', peer: peer.name, failure: 'noChildSa', detail: problem, path });
  established.family.owner = 'none';
  return beginClosing(established, { failure: null, detail: '' }, turn);
}
