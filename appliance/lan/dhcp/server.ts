import { hex } from '../../lib/bytes.ts';
import { ipv4ToNumber, unspecified } from './ipv4.ts';
import { isActive, type Lease, type Leases } from './leases.ts';
import type { Reply, Request } from './message.ts';
import { requestedHostname } from './names.ts';
import { contains, inRanges, type Network, type Reservation } from './network.ts';
import { messageType, option } from './numbers.ts';
import { informReply, leaseReply, nakReply } from './reply.ts';

// Theory of operation. `answer` decides on one message (RFC 2131 4.3) and changes nothing: what must change in the
// lease table comes back as `changes`. DISCOVER may want the chosen address probed first; the same request is
// then answered again with `cleared` set, or (after the conflict was put into the table) without it. Changes that
// make or end a promise to a client (`bound`, `released`, `declined`) must be on disk before the reply leaves.

export type Outcome =
  | { readonly kind: 'silent'; readonly reason: Silence; readonly changes: readonly Lease[] }
  | { readonly kind: 'reply'; readonly reply: Reply; readonly changes: readonly Lease[] }
  | { readonly kind: 'probe'; readonly address: string; readonly changes: readonly Lease[] };

/** Why a message gets no answer; each is a counter. */
export type Silence =
  | 'otherServer'
  | 'probing'
  | 'poolExhausted'
  | 'unknownClient'
  | 'declined'
  | 'released'
  | 'malformed'
  | 'unexpectedType';

export interface Situation {
  readonly network: Network;
  readonly leases: Leases;
  /** Lease clock, milliseconds. */
  readonly now: number;
  /** Whether addresses are probed before they are offered. */
  readonly probes: boolean;
  readonly quarantineMs: number;
  /** The address that nobody answered for. */
  readonly cleared?: string;
}

/** Between OFFER and REQUEST; a client that takes longer starts again. */
const offerMs = 30_000;
/** Longer than any probe, so that one that was lost does not hold the address. */
const probingMs = 3_000;

/** Who asks, and what the configuration has set aside for it. */
interface Client {
  readonly client: string;
  readonly mac: string;
  readonly reservation: Reservation | undefined;
}

/** Without option 61 the client is known by hardware type and address, as RFC 2132 9.14 would write them there. */
function clientOf(request: Request, network: Network): Client {
  const identifier = request.options.get(option.clientIdentifier);
  const client = identifier && identifier.length >= 2 ? hex(identifier) : `01${request.mac.replaceAll(':', '')}`;
  const reservation = network.reservations.get(`id ${client}`) ?? network.reservations.get(request.mac);
  return { client, mac: request.mac, reservation };
}

/** A machine reserved by its MAC may boot with several identifiers (PXE, then its system): it is the same one. */
function holds(lease: Lease, who: Client): boolean {
  if (lease.state === 'declined') return false;
  return lease.client === who.client || (who.reservation?.address === lease.address && lease.mac === who.mac);
}

/** Whether the configuration lets this client have the address at all. */
function permitted(address: string, who: Client, network: Network): boolean {
  if (who.reservation?.address === address) return true;
  const number = ipv4ToNumber(address);
  return inRanges(network, number) && !network.excluded.has(number) && !network.reservedAddresses.has(number);
}

/** Whether nobody else holds the address now. */
function available(address: string, who: Client, { leases, network, now }: Situation): boolean {
  const lease = leases.at(network.zone, address);
  return !lease || !isActive(lease, now) || holds(lease, who);
}

export function answer(request: Request, situation: Situation): Outcome {
  switch (request.type) {
    case messageType.discover:
      return discover(request, situation);
    case messageType.request:
      return requested(request, situation);
    case messageType.decline:
      return decline(request, situation);
    case messageType.release:
      return release(request, situation);
    case messageType.inform:
      return inform(request, situation);
    default:
      return silent('unexpectedType');
  }
}

function silent(reason: Silence, ...changes: Lease[]): Outcome {
  return { kind: 'silent', reason, changes };
}

function discover(request: Request, situation: Situation): Outcome {
  const { network, leases, now } = situation;
  const who = clientOf(request, network);
  const address = chooseAddress(request, who, situation);
  if (address === undefined) return silent('poolExhausted');
  const before = leases.at(network.zone, address);
  const own = before && holds(before, who) ? before : undefined;
  if (own?.state === 'probing' && isActive(own, now) && situation.cleared !== address) return silent('probing');
  const lease: Lease = {
    zone: network.zone,
    address,
    client: who.client,
    mac: who.mac,
    hostname: '',
    state: 'offered',
    expiresAt: now + offerMs,
  };
  // The last one to have it was this very client: no need to wait for a probe.
  const known = own !== undefined && own.state !== 'probing';
  if (situation.probes && network.onLink && !known && situation.cleared !== address) {
    return { kind: 'probe', address, changes: [{ ...lease, state: 'probing', expiresAt: now + probingMs }] };
  }
  const offered = own?.state === 'bound' && isActive(own, now) ? own : lease;
  const hostname = hostnameFor(request, who, situation, address);
  const reply = leaseReply(request, network, { ...offered, hostname }, leaseSeconds(request, network));
  return { kind: 'reply', reply, changes: offered === own ? [] : [offered] };
}

/** RFC 2131 4.3.1, in its order; a reservation goes before everything. */
function chooseAddress(request: Request, who: Client, situation: Situation): string | undefined {
  const { network, leases, now } = situation;
  const fits = (address: string) => permitted(address, who, network) && available(address, who, situation);
  if (who.reservation && fits(who.reservation.address)) return who.reservation.address;
  const own = [...leases.ofClient(network.zone, who.client)]
    .filter((lease) => lease.state !== 'declined' && fits(lease.address))
    .sort((a, b) => rank(b, now) - rank(a, now) || b.expiresAt - a.expiresAt)[0];
  if (own) return own.address;
  const wanted = request.requestedAddress;
  if (wanted && fits(wanted) && !quarantined(wanted, situation)) return wanted;
  return leases.findFree(network, who.client, now);
}

function rank(lease: Lease, now: number): number {
  return isActive(lease, now) && lease.state === 'bound' ? 1 : 0;
}

function quarantined(address: string, { leases, network, now }: Situation): boolean {
  const lease = leases.at(network.zone, address);
  return lease?.state === 'declined' && isActive(lease, now);
}

/** REQUEST in its four states, told apart as in RFC 2131 4.3.2. */
function requested(request: Request, situation: Situation): Outcome {
  const { network } = situation;
  const { serverIdentifier, requestedAddress, ciaddr } = request;
  if (serverIdentifier !== undefined) {
    if (serverIdentifier !== network.address) return otherServer(request, situation);
    const address = requestedAddress ?? (ciaddr === unspecified ? undefined : ciaddr);
    return address === undefined ? silent('malformed') : confirm(request, situation, { address, selecting: true });
  }
  const address = ciaddr === unspecified ? requestedAddress : ciaddr;
  if (address === undefined) return silent('malformed');
  if (!contains(network, address)) return nak(request, network, `${address} is not an address of this network`);
  return confirm(request, situation, { address, selecting: false });
}

/** Our offer was not taken: the address is free again. */
function otherServer(request: Request, { network, leases, now }: Situation): Outcome {
  const who = clientOf(request, network);
  const offers = leases
    .ofClient(network.zone, who.client)
    .filter(({ state }) => state === 'offered' || state === 'probing');
  return silent('otherServer', ...offers.map((lease) => ({ ...lease, expiresAt: now })));
}

function nak(request: Request, network: Network, reason: string): Outcome {
  return { kind: 'reply', reply: nakReply(request, network, reason), changes: [] };
}

function confirm(request: Request, situation: Situation, wish: { address: string; selecting: boolean }): Outcome {
  const { network, leases } = situation;
  const { address, selecting } = wish;
  const who = clientOf(request, network);
  const lease = leases.at(network.zone, address);
  const known = lease !== undefined && holds(lease, who);
  // RFC 2131 4.3.2: silence about clients of other servers; but where we are the only one, their lease is ours.
  if (!known && !selecting && !network.authoritative) return silent('unknownClient');
  const moved =
    who.reservation && who.reservation.address !== address && available(who.reservation.address, who, situation);
  if (moved) return nak(request, network, `${who.reservation?.address} is reserved for this client`);
  if (!permitted(address, who, network)) return nak(request, network, `${address} is not for this client`);
  if (!available(address, who, situation)) return nak(request, network, `${address} is in use`);
  return bind(request, who, situation, address);
}

function bind(request: Request, who: Client, situation: Situation, address: string): Outcome {
  const { network, leases, now } = situation;
  const seconds = leaseSeconds(request, network);
  const hostname = hostnameFor(request, who, situation, address);
  const lease: Lease = {
    ...{ zone: network.zone, address, client: who.client, mac: who.mac, hostname },
    state: 'bound',
    expiresAt: now + seconds * 1000,
  };
  const others = leases
    .ofClient(network.zone, who.client)
    .filter((own) => own.address !== address && isActive(own, now) && own.state !== 'declined')
    .map((own): Lease => ({ ...own, state: 'released', expiresAt: now }));
  return { kind: 'reply', reply: leaseReply(request, network, lease, seconds), changes: [...others, lease] };
}

function leaseSeconds(request: Request, network: Network): number {
  const wanted = request.leaseTime ?? network.leaseSeconds;
  return Math.min(network.maxLeaseSeconds, Math.max(network.minLeaseSeconds, wanted));
}

/** A name has one holder; who comes second gets the end of its MAC behind it. */
function hostnameFor(request: Request, who: Client, { leases, network, now }: Situation, address: string): string {
  const name = who.reservation?.hostname ?? requestedHostname(request.options);
  if (name === '' || who.reservation?.hostname) return name;
  const holder = leases.ofHostname(name);
  const own = holder?.client === who.client || (holder?.zone === network.zone && holder.address === address);
  const taken = holder && isActive(holder, now) && !own;
  if (!taken && !network.reservedHostnames.has(name)) return name;
  return `${name.slice(0, 58)}-${who.mac.replaceAll(':', '').slice(-4)}`;
}

function decline(request: Request, situation: Situation): Outcome {
  const { network, leases, now } = situation;
  const { serverIdentifier, requestedAddress } = request;
  if (forAnother(serverIdentifier, network)) return silent('otherServer');
  if (requestedAddress === undefined) return silent('malformed');
  const lease = leases.at(network.zone, requestedAddress);
  if (!lease || !holds(lease, clientOf(request, network))) return silent('unknownClient');
  return silent('declined', quarantine(lease, now + situation.quarantineMs));
}

/** RFC 2131 table 5 wants option 54 in DECLINE and RELEASE, but systemd-networkd leaves it out of RELEASE. */
function forAnother(serverIdentifier: string | undefined, network: Network): boolean {
  return serverIdentifier !== undefined && serverIdentifier !== network.address;
}

/** The address answers to somebody whom we do not know. */
export function quarantine(lease: Lease, until: number): Lease {
  return { ...lease, state: 'declined', hostname: '', expiresAt: until };
}

function release(request: Request, { network, leases, now }: Situation): Outcome {
  if (forAnother(request.serverIdentifier, network)) return silent('otherServer');
  const lease = leases.at(network.zone, request.ciaddr);
  if (!lease || !holds(lease, clientOf(request, network)) || lease.state !== 'bound') return silent('unknownClient');
  return silent('released', { ...lease, state: 'released', expiresAt: Math.min(lease.expiresAt, now) });
}

function inform(request: Request, { network }: Situation): Outcome {
  // The answer goes to ciaddr, so it must be one of ours: nobody is sent what he did not ask for.
  if (request.ciaddr === unspecified || !contains(network, request.ciaddr)) return silent('malformed');
  return { kind: 'reply', reply: informReply(request, network), changes: [] };
}
