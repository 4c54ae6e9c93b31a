import { Writer } from '../../lib/bytes.ts';
import type { Path } from '../../lib/net.ts';
import type { Failure, IkeAlgorithms, KeyExchange, Peer } from '../api.ts';
import { openChannel } from '../channel.ts';
import { generateKeyPair, keyExchangeId, keyExchangeOf } from '../crypto/key-exchange.ts';
import { ikeKeys } from '../crypto/keys.ts';
import { addressHashLength, detectNat, natNotifies } from '../nat.ts';
import { acceptIke, additionalOf, chooseIke, groupOctets, groupOf, offerIke } from '../negotiate.ts';
import { exchangeTypes, notifyName, notifyTypes } from '../numbers.ts';
import { firstRetry, newSaSeconds } from '../retransmit.ts';
import {
  type AuthSent,
  type Closed,
  closed,
  type Incoming,
  type InitAnswered,
  type InitSent,
  type IntermediateSent,
} from '../states.ts';
import { report, type Turn } from '../turn.ts';
import { encodeHeader, type Header, patchLength } from '../wire/header.ts';
import { isError, type Notify, notifyOf } from '../wire/notify.ts';
import { encodePayloads, find, notifies, type Payload } from '../wire/payloads.ts';
import { abilitiesOf, ownAbilities, supports } from './abilities.ts';
import { certificateRequest } from './auth.ts';
import { beginAuth } from './auth-initiator.ts';
import { beginIntermediate } from './intermediate.ts';
import { follow, redirectedFrom, redirectIn, redirectPayload } from './redirect.ts';

/* RFC 7296 1.2 and 2.6. Nothing here is authenticated yet: whoever sees the request can answer anything. */

const nonceLength = 32;
const noSpi = new Uint8Array(8);
const none = new Uint8Array();

/** How often a peer may make us begin again with a cookie or another group. */
export const maxRestarts = 6;
const maxCookieLength = 64;
/** How long a better answer is awaited after a refusal that anybody could have forged. */
const refusalMilliseconds = 10_000;
/** A half-open SA lives no longer. */
export const halfOpenMilliseconds = 30_000;

export function plainMessage(header: Header, payloads: readonly Payload[]): Uint8Array {
  const chain = encodePayloads(payloads);
  const writer = new Writer();
  encodeHeader(writer, header, chain.first);
  writer.bytes(chain.bytes);
  patchLength(writer, writer.length);
  return writer.finish();
}

/** Null for a peer without any key exchange: a mistake of the configuration. */
export function initiate(peer: Peer, path: Path, redirectedFrom: string | null, turn: Turn): InitSent | Closed {
  const method = peer.ike.keyExchanges[0];
  if (method === undefined)
    return fail(peer, { failure: 'noProposalChosen', detail: 'no key exchange configured' }, path, turn);
  const draft = {
    peer,
    path,
    spi: turn.world.newIkeSpi(turn),
    nonce: turn.random(nonceLength),
    keyPair: generateKeyPair(method, turn.random),
    cookie: null,
    redirectedFrom,
    restarts: 0,
  };
  return send(draft, turn);
}

type Draft = Pick<InitSent, 'peer' | 'spi' | 'nonce' | 'keyPair' | 'cookie' | 'redirectedFrom' | 'restarts'> & {
  readonly path: Path;
};

function send(draft: Draft, turn: Turn): InitSent {
  const { path, ...kept } = draft;
  const { peer, spi, nonce, keyPair, cookie } = kept;
  const header: Header = {
    spiInitiator: spi,
    spiResponder: noSpi,
    fromInitiator: true,
    response: false,
    exchange: exchangeTypes.IKE_SA_INIT,
    messageId: 0,
  };
  const payloads: Payload[] = [
    { type: 'SA', body: offerIke(peer.ike, none) },
    { type: 'KE', body: { group: keyExchangeId(keyPair.method), data: keyPair.publicValue } },
    { type: 'Nonce', body: nonce },
    ...natNotifies(header, path, peer.encapsulation === 'udp' ? turn.random(addressHashLength) : null),
    ...ownAbilities(peer.ppk ? ['USE_PPK'] : []),
    ...redirectAbility(draft),
  ];
  if (cookie !== null) payloads.unshift({ type: 'N', body: notifyOf('COOKIE', cookie) });
  const bytes = plainMessage(header, payloads);
  turn.emit({ kind: 'send', bytes, path });
  const sent = { datagrams: [bytes], messageId: 0, path, retry: firstRetry(turn, newSaSeconds) };
  return { name: 'initSent', ...kept, request: bytes, sent, refusal: null };
}

/** RFC 5685 5: who was sent here says by whom, which means that it can be sent on as well. */
function redirectAbility({ peer, redirectedFrom: from }: Draft): Payload[] {
  if (peer.followRedirects !== true) return [];
  return [from === null ? { type: 'N', body: notifyOf('REDIRECT_SUPPORTED') } : redirectedFrom(from)];
}

export function fail(peer: Peer, why: { failure: Failure; detail: string }, path: Path, turn: Turn): Closed {
  report(turn, { kind: 'failed', peer: peer.name, ...why, path });
  return closed;
}

/** The initiator reads the answer. */
export function onInitAnswer(
  state: InitSent,
  message: Incoming,
  turn: Turn,
): InitSent | IntermediateSent | AuthSent | Closed {
  const received = notifies(message.payloads);
  const gateway = redirectIn(message.payloads, state.nonce);
  if (gateway !== null && state.peer.followRedirects === true) {
    follow(state.peer, gateway, state.sent.path, turn);
    return closed;
  }
  const cookie = received.find(({ notify }) => notify === notifyTypes.COOKIE);
  if (cookie !== undefined) return onCookie(state, cookie.data, turn);
  const error = received.find(isError);
  if (error !== undefined) return onInitError(state, error, turn);
  return onAgreement(state, message, turn);
}

function restart(state: InitSent, changes: Partial<Draft>, turn: Turn): InitSent {
  const path = state.sent.path;
  const next = send({ ...state, path, ...changes, restarts: state.restarts + 1 }, turn);
  // The time that a new SA may take is counted from its first message.
  const retry = { ...next.sent.retry, giveUpAt: state.sent.retry.giveUpAt };
  return { ...next, sent: { ...next.sent, retry }, refusal: state.refusal };
}

function onCookie(state: InitSent, cookie: Uint8Array, turn: Turn): InitSent {
  if (state.restarts >= maxRestarts || cookie.length === 0 || cookie.length > maxCookieLength) {
    turn.world.count('cookieIgnored');
    return state;
  }
  return restart(state, { cookie }, turn);
}

function onInitError(state: InitSent, error: Notify, turn: Turn): InitSent {
  if (error.notify === notifyTypes.INVALID_KE_PAYLOAD) {
    const group = groupOf(error.data);
    // Only a group that we offered, or a forger could choose a weak one (RFC 7296 1.2).
    const usable = group !== null && group !== state.keyPair.method && state.peer.ike.keyExchanges.includes(group);
    if (usable && state.restarts < maxRestarts) {
      return restart(state, { keyPair: generateKeyPair(group, turn.random) }, turn);
    }
  }
  const failure = error.notify === notifyTypes.NO_PROPOSAL_CHOSEN ? 'noProposalChosen' : 'peerRefused';
  return refused(state, failure, notifyName(error.notify), turn);
}

function refused(state: InitSent, failure: Failure, detail: string, turn: Turn): InitSent {
  const at = state.refusal?.at ?? turn.now + refusalMilliseconds;
  return { ...state, refusal: { failure, detail, at } };
}

function onAgreement(state: InitSent, message: Incoming, turn: Turn): InitSent | IntermediateSent | AuthSent | Closed {
  const proposals = find(message.payloads, 'SA') ?? [];
  const ke = find(message.payloads, 'KE');
  const responderNonce = find(message.payloads, 'Nonce');
  const accepted = acceptIke(proposals, state.peer.ike, 0);
  const method = ke && keyExchangeOf(ke.group);
  const fits = accepted !== null && method === state.keyPair.method && accepted.suite.keyExchange === method;
  const shared = fits && ke ? state.keyPair.agree(ke.data) : null;
  if (!fits || shared === null || responderNonce === null) {
    return refused(state, 'invalidAnswer', 'IKE_SA_INIT: what the peer chose was not offered', turn);
  }
  if (state.peer.ppk?.required === true && !supports(message, 'USE_PPK')) {
    shared.wipe();
    return refused(state, 'ppkRequired', 'the peer does not use PPKs', turn);
  }
  const { spiInitiator, spiResponder } = message.header;
  const nonces = { initiator: state.nonce, responder: responderNonce };
  const suite = accepted.suite;
  const spis = { initiator: spiInitiator, responder: spiResponder };
  const keys = ikeKeys({ suite, nonces, spis, shared, additional: [] });
  const abilities = abilitiesOf(message, state.peer.ppk !== undefined);
  const own = { initiator: true, spiInitiator, spiResponder, suite, keys, quantumSafe: null, resumed: false };
  const channel = openChannel({ ...own, ...abilities });
  const nat = detectNat(message.header, notifies(message.payloads), message.path);
  const agreement = { state, channel, nat, nonces, initAnswer: message.bytes };
  if (suite.additionalKeyExchange !== null) return beginIntermediate(agreement, turn);
  return beginAuth(agreement, { messageId: 1, intAuth: none }, turn);
}

/** The responder. Null: nothing to remember; what was to be said is sent. */
export function respondInit(message: Incoming, algorithms: readonly IkeAlgorithms[], turn: Turn): InitAnswered | null {
  const proposals = find(message.payloads, 'SA') ?? [];
  const ke = find(message.payloads, 'KE');
  const nonce = find(message.payloads, 'Nonce');
  if (ke === null || nonce === null) return null;
  const elsewhere = turn.world.redirectsTo();
  if (elsewhere !== null && abilitiesOf(message, false).redirects) {
    return refuse(message, redirectPayload(elsewhere, nonce).body, turn);
  }
  const present = keyExchangeOf(ke.group);
  const intermediate = supports(message, 'INTERMEDIATE_EXCHANGE_SUPPORTED');
  const chosen = firstOf(algorithms, (allowed) => chooseIke(proposals, within(allowed, intermediate), present, 0));
  if (chosen === null) return refuse(message, notifyOf('NO_PROPOSAL_CHOSEN'), turn);
  const method: KeyExchange = chosen.suite.keyExchange;
  if (method !== present) return refuse(message, notifyOf('INVALID_KE_PAYLOAD', groupOctets(method)), turn);

  const keyPair = generateKeyPair(method, turn.random);
  const shared = keyPair.agree(ke.data);
  if (shared === null) {
    turn.world.count('degenerateKeyExchange');
    return refuse(message, notifyOf('INVALID_SYNTAX'), turn);
  }
  const { spiInitiator } = message.header;
  const spiResponder = turn.world.newIkeSpi(turn);
  const header: Header = { ...message.header, spiResponder, fromInitiator: false, response: true };
  const nonces = { initiator: nonce, responder: turn.random(nonceLength) };
  const nat = detectNat(message.header, notifies(message.payloads), message.path);
  // Where a NAT is, or the caller pretends one, it is not needed, and would be untrue in the caller's status.
  const pretends = turn.world.pretendsNat() && !nat.local && !nat.remote;
  const ppk = turn.world.usesPpk();
  const bytes = plainMessage(header, [
    { type: 'SA', body: chosen.answer(none) },
    { type: 'KE', body: { group: ke.group, data: keyPair.publicValue } },
    { type: 'Nonce', body: nonces.responder },
    ...natNotifies(header, message.path, pretends ? turn.random(addressHashLength) : null),
    ...ownAbilities(
      ppk && supports(message, 'USE_PPK') ? ['CHILDLESS_IKEV2_SUPPORTED', 'USE_PPK'] : ['CHILDLESS_IKEV2_SUPPORTED'],
    ),
    ...certificateRequest(turn.world.trusts()),
  ]);
  turn.emit({ kind: 'send', bytes, path: message.path });
  const spis = { initiator: spiInitiator, responder: spiResponder };
  const { suite } = chosen;
  const keys = ikeKeys({ suite, nonces, spis, shared, additional: [] });
  const own = { initiator: false, spiInitiator, spiResponder, suite, keys, quantumSafe: null, resumed: false };
  return {
    name: 'initAnswered',
    channel: openChannel({ ...own, ...abilitiesOf(message, ppk) }),
    path: message.path,
    nat,
    nonces,
    init: { request: message.bytes, answer: bytes },
    answered: { request: message.bytes, answer: [bytes] },
    expected: 1,
    intAuth: none,
    expiresAt: turn.now + halfOpenMilliseconds,
  };
}

/** RFC 9370 2.2.1: no additional key exchange with a peer that has no exchange for it. */
function within(allowed: IkeAlgorithms, intermediate: boolean): IkeAlgorithms {
  if (intermediate) return allowed;
  const without = additionalOf(allowed).includes('none');
  return without ? { ...allowed, additionalKeyExchanges: ['none'] } : { ...allowed, ciphers: [] };
}

function firstOf<From, To>(list: readonly From[], choose: (each: From) => To | null): To | null {
  for (const each of list) {
    const found = choose(each);
    if (found !== null) return found;
  }
  return null;
}

/** An unprotected answer that leaves no state behind: with the SPIs of the request (RFC 7296 2.6, 2.21.4). */
export function refuse(message: Incoming, notify: Notify, turn: Turn, more: readonly Payload[] = []): null {
  const header: Header = { ...message.header, fromInitiator: !message.header.fromInitiator, response: true };
  const bytes = plainMessage(header, [{ type: 'N', body: notify }, ...more]);
  turn.emit({ kind: 'send', bytes, path: message.path });
  return null;
}
