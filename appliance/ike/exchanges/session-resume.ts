import { DecodeError } from '../../lib/bytes.ts';
import { answer, openChannel, sendRequest, withNextId } from '../channel.ts';
import { resumedIkeKeys } from '../crypto/keys.ts';
import { detectNat, natNotifies } from '../nat.ts';
import { exchangeTypes, type NotifyName, notifyTypes } from '../numbers.ts';
import { firstRetry, newSaSeconds } from '../retransmit.ts';
import type {
  AuthSent,
  Channel,
  Closed,
  Established,
  Incoming,
  InitAnswered,
  InitSent,
  ResumeSent,
} from '../states.ts';
import { copyOf, type Held, ticketSeconds } from '../tickets.ts';
import type { Turn } from '../turn.ts';
import type { Header } from '../wire/header.ts';
import { type Notify, notifyOf } from '../wire/notify.ts';
import { find, notifies, type Payload } from '../wire/payloads.ts';
import { decodeGrantedTicket, encodeGrantedTicket } from '../wire/ticket.ts';
import { abilitiesOf, ownAbilities } from './abilities.ts';
import { nonceLength } from './auth.ts';
import { beginAuth } from './auth-initiator.ts';
import { halfOpenMilliseconds, initiate, maxRestarts, plainMessage, refuse } from './sa-init.ts';

/*
 * IKE_SESSION_RESUME, RFC 5723: in the place of IKE_SA_INIT, without a key exchange. The keys come from SK_d of the old SA and two new nonces;
 * IKE_AUTH follows, in which both ends prove by them that they are the old ones.
 */

const none = new Uint8Array();
const noSpi = new Uint8Array(8);

function notifyIn(payloads: readonly Payload[], name: NotifyName): Notify | undefined {
  return notifies(payloads).find(({ notify }) => notify === notifyTypes[name]);
}

/** The client. The ticket is used once, whatever comes of it. */
export function resume(
  held: Held,
  begin: Pick<ResumeSent, 'peer'> & { readonly path: ResumeSent['sent']['path'] },
  turn: Turn,
): ResumeSent {
  const draft = {
    ...begin,
    spi: turn.world.newIkeSpi(turn),
    nonce: turn.random(nonceLength),
    held,
    cookie: null,
    restarts: 0,
  };
  return send(draft, turn);
}

type Draft = Pick<ResumeSent, 'peer' | 'spi' | 'nonce' | 'held' | 'cookie' | 'restarts'> & {
  readonly path: ResumeSent['sent']['path'];
};

function send({ path, ...kept }: Draft, turn: Turn): ResumeSent {
  const { spi, nonce, held, cookie } = kept;
  const header: Header = {
    ...{ spiInitiator: spi, spiResponder: noSpi, fromInitiator: true, response: false },
    ...{ exchange: exchangeTypes.IKE_SESSION_RESUME, messageId: 0 },
  };
  const bytes = plainMessage(header, [
    ...(cookie === null ? [] : [{ type: 'N', body: notifyOf('COOKIE', cookie) } as const]),
    { type: 'Nonce', body: nonce },
    { type: 'N', body: notifyOf('TICKET_OPAQUE', held.ticket) },
    ...natNotifies(header, path, null),
    ...ownAbilities([]),
  ]);
  turn.emit({ kind: 'send', bytes, path });
  const sent = { datagrams: [bytes], messageId: 0, path, retry: firstRetry(turn, newSaSeconds) };
  return { name: 'resumeSent', ...kept, request: bytes, sent };
}

/** Without the ticket, from the beginning. */
function fallBack({ peer, held, sent }: ResumeSent, turn: Turn): InitSent | Closed {
  held.d.wipe();
  turn.world.count('notResumed');
  return initiate(peer, sent.path, null, turn);
}

/** The client reads the answer. Nothing of it is authenticated; a forged refusal costs a key exchange. */
export function onResumeAnswer(
  state: ResumeSent,
  message: Incoming,
  turn: Turn,
): ResumeSent | InitSent | AuthSent | Closed {
  const cookie = notifyIn(message.payloads, 'COOKIE')?.data;
  if (cookie !== undefined) {
    if (state.restarts >= maxRestarts || cookie.length === 0 || cookie.length > 64) return state;
    return send({ ...state, path: state.sent.path, cookie, restarts: state.restarts + 1 }, turn);
  }
  const nonce = find(message.payloads, 'Nonce');
  if (nonce === null) return fallBack(state, turn);
  const { peer, held } = state;
  const { spiInitiator, spiResponder } = message.header;
  const nonces = { initiator: state.nonce, responder: nonce };
  const keys = resumedIkeKeys(held.suite, held.d, {
    nonces,
    spis: { initiator: spiInitiator, responder: spiResponder },
  });
  held.d.wipe();
  const own = { initiator: true, spiInitiator, spiResponder, suite: held.suite, keys, quantumSafe: held.quantumSafe };
  const channel = openChannel({ ...own, ...abilitiesOf(message, false), resumed: true });
  const nat = detectNat(message.header, notifies(message.payloads), message.path);
  const agreement = {
    state: { peer, request: state.request, sent: state.sent },
    channel,
    nat,
    nonces,
    initAnswer: message.bytes,
  };
  return beginAuth(agreement, { messageId: 1, intAuth: none }, turn);
}

/** The gateway. Null: nothing to remember; a ticket that cannot be used is told to be that. */
export function respondResume(message: Incoming, turn: Turn): InitAnswered | null {
  const nonce = find(message.payloads, 'Nonce');
  const ticket = notifyIn(message.payloads, 'TICKET_OPAQUE')?.data;
  if (nonce === null || ticket === undefined) return null;
  const session = turn.world.tickets.open(ticket, turn);
  if (session === null) return refuse(message, notifyOf('TICKET_NACK'), turn);
  const { spiInitiator } = message.header;
  const spiResponder = turn.world.newIkeSpi(turn);
  const header: Header = { ...message.header, spiResponder, fromInitiator: false, response: true };
  const nonces = { initiator: nonce, responder: turn.random(nonceLength) };
  const bytes = plainMessage(header, [
    { type: 'Nonce', body: nonces.responder },
    ...natNotifies(header, message.path, null),
    ...ownAbilities([]),
  ]);
  turn.emit({ kind: 'send', bytes, path: message.path });
  const { suite, quantumSafe, d, peer } = session;
  const keys = resumedIkeKeys(suite, d, { nonces, spis: { initiator: spiInitiator, responder: spiResponder } });
  d.wipe();
  const own = { initiator: false, spiInitiator, spiResponder, suite, keys, quantumSafe };
  return {
    name: 'initAnswered',
    channel: openChannel({ ...own, ...abilitiesOf(message, false), resumed: true }),
    path: message.path,
    nat: detectNat(message.header, notifies(message.payloads), message.path),
    nonces,
    init: { request: message.bytes, answer: bytes },
    answered: { request: message.bytes, answer: [bytes] },
    expected: 1,
    intAuth: none,
    ticketOf: peer,
    expiresAt: turn.now + halfOpenMilliseconds,
  };
}

/** Asked for in IKE_AUTH, and again before the last one is too old. */
export const ticketRequest: Payload = { type: 'N', body: notifyOf('TICKET_REQUEST') };

/** The gateway's answer to a request for a ticket; nothing when there was none. */
export function grantedTicket(
  { peer, channel }: Pick<Established, 'peer'> & { readonly channel: Channel },
  message: Incoming,
  turn: Turn,
): Payload[] {
  if (notifyIn(message.payloads, 'TICKET_REQUEST') === undefined) return [];
  if (peer.resumes !== true) return [{ type: 'N', body: notifyOf('TICKET_NACK') }];
  const session = { peer: peer.name, suite: channel.suite, quantumSafe: channel.quantumSafe, d: channel.keys.d };
  const ticket = turn.world.tickets.seal(session, turn);
  const data = encodeGrantedTicket({ lifetimeSeconds: ticketSeconds, ticket });
  return [{ type: 'N', body: notifyOf('TICKET_LT_OPAQUE', data) }];
}

/** The client keeps what it is given. Gives when to ask again; Infinity when there is nothing to be had. */
export function keepTicket({ peer, channel }: Established, message: Incoming, turn: Turn): number {
  const data = notifyIn(message.payloads, 'TICKET_LT_OPAQUE')?.data;
  if (data === undefined) return Number.POSITIVE_INFINITY;
  try {
    const { lifetimeSeconds, ticket } = decodeGrantedTicket(data);
    const lifetime = Math.min(lifetimeSeconds, 2 * ticketSeconds) * 1000;
    const { suite, quantumSafe, keys } = channel;
    const session = { peer: peer.name, suite, quantumSafe, d: copyOf(keys.d) };
    turn.world.keepTicket({ ...session, ticket, expiresAt: turn.now + lifetime });
    return turn.now + Math.max(10_000, lifetime * 0.75);
  } catch (error) {
    if (error instanceof DecodeError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

export function beginTicket(state: Established, turn: Turn): Established {
  const sent = sendRequest(state, 'INFORMATIONAL', [ticketRequest], turn);
  const task = { kind: 'ticket', sent } as const;
  return { ...state, ticketAt: Number.POSITIVE_INFINITY, requests: withNextId(state.requests), task };
}

export function respondTicket(state: Established, message: Incoming, turn: Turn): Established | null {
  const payloads = grantedTicket(state, message, turn);
  return payloads.length === 0 ? null : answer(state, message, payloads, turn);
}
