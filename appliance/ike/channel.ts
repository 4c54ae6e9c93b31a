import { hex } from '../lib/bytes.ts';
import { familyOf } from '../lib/ip.ts';
import type { Path } from '../lib/net.ts';
import type { Failure } from './api.ts';
import { wipeKeys } from './crypto/keys.ts';
import { Opener, Sealer } from './crypto/sealed.ts';
import { closeFamily, tunnelsOf } from './family.ts';
import { type ExchangeName, exchangeTypes, protocols } from './numbers.ts';
import { closingSeconds, establishedSeconds, firstRetry, type Sent } from './retransmit.ts';
import {
  type Channel,
  type Closed,
  type Closing,
  closed,
  type Established,
  type Incoming,
  type Requests,
  type Spent,
} from './states.ts';
import { rekeyOf } from './tasks.ts';
import { report, type Turn } from './turn.ts';
import type { Payload } from './wire/payloads.ts';

/** Long enough for every retransmission of a peer that did not get our last answer. */
const spentMilliseconds = 40_000;

export function openChannel(input: Omit<Channel, 'sealer' | 'opener'>): Channel {
  const { initiator, suite, keys } = input;
  const ours = initiator ? keys.ei : keys.er;
  const theirs = initiator ? keys.er : keys.ei;
  return { ...input, sealer: new Sealer(suite.cipher, ours), opener: new Opener(suite.cipher, theirs) };
}

/** The key of an IKE SA in our tables: the SPI that we chose. */
export function saKey(channel: Pick<Channel, 'initiator' | 'spiInitiator' | 'spiResponder'>): string {
  return hex(channel.initiator ? channel.spiInitiator : channel.spiResponder);
}

interface Head {
  readonly exchange: ExchangeName;
  readonly messageId: number;
  readonly response: boolean;
}

/**
 * Octets of an IKE message that pass everywhere without being fragmented by IP: RFC 7383 2.5.1 and the minimum MTU of
 * IPv6, less the headers of IP and UDP and the non-ESP marker.
 */
const largestDatagram = { 4: 576 - 20 - 8 - 4, 6: 1280 - 40 - 8 - 4 } as const;

/** Seals and sends; more than one datagram are fragments. */
export function sendMessage(
  channel: Channel,
  head: Head,
  payloads: readonly Payload[],
  to: { readonly path: Path; readonly turn: Turn },
): Uint8Array[] {
  const { spiInitiator, spiResponder, initiator, sealer, fragmentation } = channel;
  const { path, turn } = to;
  const header = {
    ...head,
    exchange: exchangeTypes[head.exchange],
    spiInitiator,
    spiResponder,
    fromInitiator: initiator,
  };
  const limit = fragmentation ? largestDatagram[familyOf(path.remote.address)] : undefined;
  const datagrams = sealer.seal(header, payloads, limit);
  for (const bytes of datagrams) turn.emit({ kind: 'send', bytes, path });
  return datagrams;
}

type Alive = Established | Closing;

/** Seals and sends a request of ours; the caller puts it where its answer is awaited. */
export function sendRequest(
  state: Pick<Alive, 'channel' | 'requests' | 'path'>,
  exchange: ExchangeName,
  payloads: readonly Payload[],
  turn: Turn,
): Sent {
  const messageId = state.requests.next;
  const head = { exchange, messageId, response: false };
  const datagrams = sendMessage(state.channel, head, payloads, { path: state.path, turn });
  return { datagrams, messageId, path: state.path, retry: firstRetry(turn, establishedSeconds) };
}

export function withNextId(requests: Requests): Requests {
  return { ...requests, next: requests.next + 1 };
}

/** Seals and sends the answer to the peer's request, to where it came from, and keeps it. */
export function answer<State extends Alive>(
  state: State,
  message: Incoming,
  payloads: readonly Payload[],
  turn: Turn,
): State {
  const exchange = exchangeNameOf(message);
  const messageId = message.header.messageId;
  const head = { exchange, messageId, response: true };
  const datagrams = sendMessage(state.channel, head, payloads, { path: message.path, turn });
  const answered = { request: message.bytes, answer: datagrams };
  return { ...state, requests: { ...state.requests, expected: messageId + 1, answered } };
}

export function exchangeNameOf(message: Incoming): ExchangeName {
  const found = Object.entries(exchangeTypes).find(([, type]) => type === message.header.exchange);
  return (found?.[0] ?? 'INFORMATIONAL') as ExchangeName;
}

export function owns(state: Alive): boolean {
  return state.family.owner === saKey(state.channel);
}

/** Gives back what the outstanding request of ours had reserved. */
export function abandonTask(state: Established, turn: Turn): void {
  const task = state.task && rekeyOf(state.task);
  if (task?.kind === 'child') turn.world.freeEspSpi(task.spi);
  abandonPending(state, turn);
}

/** Forgets what the peer has begun and not finished. */
export function abandonPending(state: Established, turn: Turn): Established {
  const { pending } = state;
  if (pending === null) return state;
  if (pending.of.kind === 'child') turn.world.freeEspSpi(pending.of.draft.spiIn);
  pending.of.draft.shared?.wipe();
  return { ...state, pending: null };
}

interface Reason {
  readonly failure: Failure | null;
  readonly detail: string;
}

/** The end of the children and the report, if they are this SA's. Its keys are wiped by who drops the SA. */
function endFamily(state: Alive, reason: Reason, turn: Turn): void {
  if (!owns(state)) return;
  closeFamily(state, turn);
  state.family.owner = 'none';
  report(turn, { kind: 'ikeClosed', peer: state.peer.name, ...reason });
}

/** Drops the SA without a word to the peer. */
export function drop(state: Established, reason: Reason, turn: Turn): Closed {
  abandonTask(state, turn);
  endFamily(state, reason, turn);
  wipeKeys(state.channel.keys);
  return closed;
}

/** Drops the SA and keeps the answer that told the peer so. */
export function spend(state: Alive, reason: Reason, turn: Turn): Spent | Closed {
  if (state.name === 'established') abandonTask(state, turn);
  endFamily(state, reason, turn);
  wipeKeys(state.channel.keys);
  const { answered } = state.requests;
  return answered === null ? closed : { name: 'spent', answered, expiresAt: turn.now + spentMilliseconds };
}

/** Graceful end: DELETE, after the answer of a request that is still under way (window 1). */
export function beginClosing(state: Established, reason: Reason, turn: Turn): Closing {
  abandonTask(state, turn);
  endFamily(state, reason, turn);
  const { peer, channel, path, nat, requests, family, task } = state;
  const giveUpAt = turn.now + closingSeconds * 1000;
  const rest = { name: 'closing', peer, channel, path, nat, requests, family, giveUpAt } as const;
  if (task !== null) return { ...rest, sent: task.sent, deleteSent: false };
  return sendDelete(rest, turn);
}

export function sendDelete(state: Omit<Closing, 'sent' | 'deleteSent'>, turn: Turn): Closing {
  const payloads: Payload[] = [{ type: 'D', body: { protocol: protocols.IKE, spis: [] } }];
  const sent = sendRequest(state, 'INFORMATIONAL', payloads, turn);
  return { ...state, sent, deleteSent: true, requests: withNextId(state.requests) };
}

/**
 * A fresh authenticated message proves that the peer lives, and where (RFC 7296 2.23): the path follows it unless
 * we are behind a NAT ourselves.
 */
export function heard(state: Established, message: Incoming, turn: Turn): Established {
  const { path } = message;
  // While we are moving, a message that still went to our old address must not take us back.
  const moving = state.updateWanted || state.task?.kind === 'update';
  const moved = !state.nat.local && !moving && !samePath(path, state.path);
  if (!moved) return { ...state, heardAt: turn.now };
  if (owns(state)) {
    for (const tunnel of tunnelsOf(state.family)) turn.emit({ kind: 'movePath', tunnel, path });
  }
  return { ...state, heardAt: turn.now, path };
}

function samePath(a: Incoming['path'], b: Incoming['path']): boolean {
  return (
    a.remote.address === b.remote.address &&
    a.remote.port === b.remote.port &&
    a.local.address === b.local.address &&
    a.local.port === b.local.port
  );
}
