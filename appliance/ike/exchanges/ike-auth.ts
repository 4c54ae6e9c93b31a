import { Reader, Writer } from '../../lib/bytes.ts';
import type { Path } from '../../lib/net.ts';
import type { Failure, Peer } from '../api.ts';
import { answer, beginClosing, exchangeNameOf, saKey, sendMessage } from '../channel.ts';
import { childKeys, wipeKeys } from '../crypto/keys.ts';
import { prove, proves, type SignedOctets, strangersKey } from '../crypto/proof.ts';
import { installChild, newFamily } from '../family.ts';
import { agreeFeatures, featurePayloads, offerFeatures } from '../features.ts';
import type { Nat } from '../nat.ts';
import { acceptEsp, additionalOf, chooseEsp, offerEsp } from '../negotiate.ts';
import { notifyName, notifyTypes } from '../numbers.ts';
import { between, firstRetry, newSaSeconds } from '../retransmit.ts';
import { isWithin, narrowSelectors } from '../selectors.ts';
import {
  type AuthSent,
  type Channel,
  type Closed,
  type Closing,
  closed,
  type Established,
  type Incoming,
  type InitAnswered,
  type InitSent,
  type IntermediateSent,
  type Nonces,
  type Spent,
} from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { type Identification, identificationOf, identityOf, isIdentity } from '../wire/identification.ts';
import { isError, type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';

/* RFC 7296 1.2, 2.15 and 2.16: who we are, who the peer is, and the first child SA. */

export const nonceLength = 32;

/** How long the answer to a refused IKE_AUTH is kept for retransmissions. */
const refusedMilliseconds = 40_000;

export interface Agreement {
  readonly state: InitSent | IntermediateSent;
  readonly channel: Channel;
  readonly nat: Nat;
  readonly nonces: Nonces;
  readonly initAnswer: Uint8Array;
}

/** RFC 7296 2.23: with a NAT on the way, or at will, both ends go to the port where ESP in UDP may follow. */
export function pathFrom(path: Path, nat: Nat, peer: Peer, turn: Turn): Path {
  const port = turn.world.options.natTraversalPort;
  if (!nat.local && !nat.remote && peer.encapsulation === 'auto') return path;
  if (path.local.port === port) return path;
  return { local: { ...path.local, port }, remote: { ...path.remote, port: natTraversalPort } };
}
/** Where other people's gateways listen (RFC 3947). */
const natTraversalPort = 4500;

export function spiOctets(spi: number): Uint8Array {
  return new Writer().u32(spi).finish();
}

/** Where IKE_AUTH stands: behind IKE_INTERMEDIATE, if there was one. */
interface Place {
  readonly messageId: number;
  readonly intAuth: Uint8Array;
}

export function beginAuth(agreement: Agreement, { messageId, intAuth }: Place, turn: Turn): AuthSent {
  const { state, channel, nat, nonces, initAnswer } = agreement;
  const { peer } = state;
  const path = pathFrom(state.sent.path, nat, peer, turn);
  const identification = identificationOf(peer.localId);
  const proof = prove(peer.localAuth, {
    prf: channel.suite.prf,
    message: state.request,
    nonce: nonces.responder,
    key: channel.keys.pi,
    identification: identification.body,
    intAuth,
  });
  const childSpi = turn.world.newEspSpi(turn);
  const payloads: Payload[] = [
    { type: 'IDi', body: identification },
    ...(turn.world.hasEstablished(peer.name) ? [] : [initialContact]),
    { type: 'IDr', body: identificationOf(peer.remoteId) },
    { type: 'AUTH', body: proof },
    { type: 'SA', body: offerEsp(peer.esp, spiOctets(childSpi), false) },
    ...offerFeatures(peer, channel),
    { type: 'TSi', body: peer.localSelectors },
    { type: 'TSr', body: peer.remoteSelectors },
    mobikeSupported,
  ];
  const datagrams = sendMessage(channel, { exchange: 'IKE_AUTH', messageId, response: false }, payloads, {
    path,
    turn,
  });
  const retry = { ...firstRetry(turn, newSaSeconds), giveUpAt: state.sent.retry.giveUpAt };
  const sent = { datagrams, messageId, path, retry };
  return { name: 'authSent', peer, channel, path, nat, nonces, initAnswer, intAuth, childSpi, sent };
}

const mobikeSupported: Payload = { type: 'N', body: notifyOf('MOBIKE_SUPPORTED') };
const initialContact: Payload = { type: 'N', body: notifyOf('INITIAL_CONTACT') };

/** The responder. Until the proof is checked, all that a peer learns is AUTHENTICATION_FAILED. */
export function respondAuth(state: InitAnswered, message: Incoming, turn: Turn): Established | Spent {
  const { payloads } = message;
  const remote = find(payloads, 'IDi');
  const proof = find(payloads, 'AUTH');
  if (remote === null) return refuseAuth(state, message, { peer: null, detail: 'no IDi' }, turn);
  const peer = turn.world.peerFor(remote, find(payloads, 'IDr'));
  const signed: SignedOctets = {
    prf: state.channel.suite.prf,
    message: state.init.request,
    nonce: state.nonces.responder,
    key: state.channel.keys.pi,
    identification: remote.body,
    intAuth: state.intAuth,
  };
  // No AUTH would ask for EAP, which moat has not.
  const right = proof !== null && proves(peer?.remoteAuth ?? strangersKey, proof, signed);
  if (peer === null) return refuseAuth(state, message, { peer: null, detail: `identity ${printed(remote)}` }, turn);
  const who = { peer: peer.name, detail: `the proof of ${printed(remote)} does not fit` };
  if (!right) return refuseAuth(state, message, who, turn);
  // In IKE_SA_INIT it was not known who calls; now it is, and this peer's own lists bind.
  if (!allowsSuite(peer, state.channel)) {
    return refuseAuth(state, message, { ...who, detail: 'the algorithms are not among those of this peer' }, turn);
  }
  return acceptAuth(state, peer, message, turn);
}

function allowsSuite(peer: Peer, { suite }: Channel): boolean {
  const { ciphers, prfs, keyExchanges } = peer.ike;
  const additional = additionalOf(peer.ike).includes(suite.additionalKeyExchange ?? 'none');
  const first = ciphers.includes(suite.cipher) && prfs.includes(suite.prf);
  return first && additional && keyExchanges.includes(suite.keyExchange);
}

function printed(identification: Identification): string {
  return (identityOf(identification)?.value ?? 'of an unknown type').slice(0, 128);
}

function refuseAuth(
  state: InitAnswered,
  message: Incoming,
  who: { peer: string | null; detail: string },
  turn: Turn,
): Spent {
  const failure: Failure = 'peerAuthenticationFailed';
  report(turn, { kind: 'failed', failure, ...who, path: message.path });
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

type Common = Pick<Established, 'peer' | 'channel' | 'path' | 'nat'>;

export function newEstablished(common: Common, next: number, expected: number, turn: Turn): Established {
  const life = common.peer.lifetimes.ikeRekeySeconds * 1000;
  return {
    name: 'established',
    ...common,
    requests: { next, expected, answered: null },
    family: newFamily(saKey(common.channel)),
    task: null,
    pending: null,
    mobike: false,
    caller: common.channel.initiator,
    updateWanted: false,
    checkWanted: false,
    initialContact: false,
    createdAt: turn.now,
    rekeyAt: turn.now + life * between(0.9, 1, turn.random),
    hardAt: turn.now + life * 1.25,
    rekeys: 0,
    heardAt: turn.now,
    retireAt: Number.POSITIVE_INFINITY,
  };
}

function acceptAuth(state: InitAnswered, peer: Peer, message: Incoming, turn: Turn): Established {
  const { channel, nat, nonces } = state;
  const identification = identificationOf(peer.localId);
  const proof = prove(peer.localAuth, {
    prf: channel.suite.prf,
    message: state.init.answer,
    nonce: nonces.initiator,
    key: channel.keys.pr,
    identification: identification.body,
    intAuth: state.intAuth,
  });
  // The path of this message: the initiator may have gone to the NAT traversal port.
  const fresh = newEstablished({ peer, channel, nat, path: message.path }, 0, state.expected, turn);
  const says = (type: number) => notifies(message.payloads).some(({ notify }) => notify === type);
  const mobike = says(notifyTypes.MOBIKE_SUPPORTED);
  const established = { ...fresh, mobike, initialContact: says(notifyTypes.INITIAL_CONTACT) };
  report(turn, { kind: 'ikeEstablished', peer: peer.name, rekeyed: false });
  const child = respondFirstChild(established, nonces, message, turn);
  const payloads: Payload[] = [{ type: 'IDr', body: identification }, { type: 'AUTH', body: proof }, ...child];
  if (mobike) payloads.push(mobikeSupported);
  return answer(established, message, payloads, turn);
}

/** The first child SA, or the reason why there is none; the IKE SA stands either way (RFC 7296 1.2). */
function respondFirstChild(state: Established, nonces: Nonces, message: Incoming, turn: Turn): Payload[] {
  const { peer, channel } = state;
  const proposals = find(message.payloads, 'SA');
  const wishes = { initiator: find(message.payloads, 'TSi'), responder: find(message.payloads, 'TSr') };
  if (proposals === null || wishes.initiator === null || wishes.responder === null) return []; // RFC 6023
  const chosen = chooseEsp(proposals, peer.esp, false);
  if (chosen === null) return [{ type: 'N', body: notifyOf('NO_PROPOSAL_CHOSEN') }];
  const remote = narrowSelectors(wishes.initiator, peer.remoteSelectors);
  const local = narrowSelectors(wishes.responder, peer.localSelectors);
  if (remote.length === 0 || local.length === 0) return [{ type: 'N', body: notifyOf('TS_UNACCEPTABLE') }];
  const { suite } = chosen;
  const { prf } = channel.suite;
  const spiIn = turn.world.newEspSpi(turn);
  const tunnel = turn.world.newTunnel();
  const keys = childKeys({ prf, d: channel.keys.d, cipher: suite.cipher, nonces, shared: null, additional: [] });
  const spiOut = new Reader(chosen.peerSpi).u32();
  const features = agreeFeatures(peer, channel, notifies(message.payloads));
  installChild(
    state,
    { tunnel, spiIn, spiOut, suite, local, remote, keys, features, initiator: false, rekeys: 0, activate: 'now' },
    turn,
  );
  report(turn, { kind: 'childEstablished', peer: peer.name, tunnel, rekeyed: false });
  return [
    { type: 'SA', body: chosen.answer(spiOctets(spiIn)) },
    ...featurePayloads(features, channel),
    { type: 'TSi', body: remote },
    { type: 'TSr', body: local },
  ];
}

/** The initiator reads the answer to IKE_AUTH. */
export function onAuthAnswer(state: AuthSent, message: Incoming, turn: Turn): Established | Closing | Closed {
  const { payloads } = message;
  const { peer, channel } = state;
  const error = notifies(payloads).find(isError);
  const remote = find(payloads, 'IDr');
  const proof = find(payloads, 'AUTH');
  if (remote === null || proof === null) {
    const refused = error !== undefined && error.notify !== notifyTypes.AUTHENTICATION_FAILED;
    const detail = error === undefined ? 'IKE_AUTH without IDr or AUTH' : notifyName(error.notify);
    const failure = error === undefined ? 'invalidAnswer' : refused ? 'peerRefused' : 'authenticationFailed';
    return failAuth(state, { failure, detail }, turn);
  }
  const signed: SignedOctets = {
    prf: channel.suite.prf,
    message: state.initAnswer,
    nonce: state.nonces.initiator,
    key: channel.keys.pr,
    identification: remote.body,
    intAuth: state.intAuth,
  };
  if (!isIdentity(remote, peer.remoteId)) {
    return denounce(state, { failure: 'peerIdentityMismatch', detail: `the peer says it is ${printed(remote)}` }, turn);
  }
  if (!proves(peer.remoteAuth, proof, signed)) {
    const detail = `the proof of ${printed(remote)} does not fit`;
    return denounce(state, { failure: 'peerAuthenticationFailed', detail }, turn);
  }
  return onAuthenticated(state, message, error, turn);
}

export function failAuth(state: AuthSent, why: { failure: Failure; detail: string }, turn: Turn): Closed {
  turn.world.freeEspSpi(state.childSpi);
  wipeKeys(state.channel.keys);
  report(turn, { kind: 'failed', peer: state.peer.name, ...why, path: state.path });
  return closed;
}

/** RFC 7296 2.21.2: the responder believes that the SA is up and is told, once, that it is not. */
function denounce(state: AuthSent, why: { failure: Failure; detail: string }, turn: Turn): Closed {
  const head = { exchange: 'INFORMATIONAL', messageId: state.sent.messageId + 1, response: false } as const;
  const payloads: Payload[] = [{ type: 'N', body: notifyOf('AUTHENTICATION_FAILED') }];
  sendMessage(state.channel, head, payloads, { path: state.path, turn });
  return failAuth(state, why, turn);
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
  const established = { ...fresh, mobike };
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

/** What is wrong with the peer's answer, or null. */
function installFirstChild(host: Established, state: AuthSent, message: Incoming, turn: Turn): string | null {
  const { peer, channel, nonces } = state;
  const accepted = acceptEsp(find(message.payloads, 'SA') ?? [], peer.esp, false);
  if (accepted === null) return 'the peer chose what was not offered';
  const local = find(message.payloads, 'TSi') ?? [];
  const remote = find(message.payloads, 'TSr') ?? [];
  const fits = isWithin(local, peer.localSelectors) && isWithin(remote, peer.remoteSelectors);
  if (!fits) return 'the peer answered with selectors that were not offered';
  const { suite } = accepted;
  const keys = childKeys({
    prf: channel.suite.prf,
    d: channel.keys.d,
    cipher: suite.cipher,
    nonces,
    shared: null,
    additional: [],
  });
  const spiOut = new Reader(accepted.peerSpi).u32();
  const features = agreeFeatures(peer, channel, notifies(message.payloads));
  const tunnel = turn.world.newTunnel();
  const spiIn = state.childSpi;
  installChild(
    host,
    { tunnel, spiIn, spiOut, suite, local, remote, keys, features, initiator: true, rekeys: 0, activate: 'now' },
    turn,
  );
  return null;
}
