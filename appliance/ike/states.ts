import type { Path } from '../lib/net.ts';
import type { Failure, Peer, QuantumSafety } from './api.ts';
import type { KemKey } from './crypto/kem.ts';
import type { KeyPair } from './crypto/key-exchange.ts';
import type { IkeKeys, IkeSuite } from './crypto/keys.ts';
import type { Opener, Sealer } from './crypto/sealed.ts';
import type { Family } from './family.ts';
import type { Nat } from './nat.ts';
import type { Sent } from './retransmit.ts';
import type { Pending, Task } from './tasks.ts';
import type { Held } from './tickets.ts';
import type { ReceivedHeader } from './wire/header.ts';
import type { Payload } from './wire/payloads.ts';

/*
 * Theory of operation
 *
 *   initiator   initSent [--> intermediateSent] --> authSent
 *                 or resumeSent ----------------------^
 *                                             |
 *                                             +--> established --> closing --> closed
 *   responder   initAnswered -----------------+        |                         ^
 *        (refused, or closed by the peer)  +-----------+--> spent ---------------+
 *
 * One value of `IkeState` is one IKE SA. A state holds what is valid in it and nothing else; the functions in
 * `exchanges/` take a state and give the next one, and put what is to be done outside into the turn, in order.
 *
 * An established SA has at most one request of its own under way (`task`; RFC 7296 2.3, window 1). What to do next is
 * not queued: it follows from the state and the clock (`upkeep.ts`), so nothing can be forgotten or done twice.
 *
 * A rekey of the IKE SA makes a second one. Both share a `Family`, the child SAs; exactly one SA owns it. When both
 * ends rekey at once there are two new SAs for a moment, and the nonces say which one becomes the owner (RFC 7296
 * 2.8.1); until then the peer's is the family's `heir`.
 */

/** What the peer said of itself in IKE_SA_INIT. */
export interface Abilities {
  /** It sent moat's vendor id. */
  readonly moat: boolean;
  /** Both ends take fragments (RFC 7383). */
  readonly fragmentation: boolean;
  /** Takes an IKE_AUTH without a child SA; only responders say so (RFC 6023). */
  readonly childless: boolean;
  /** Goes to another gateway when it is told to (RFC 5685); only initiators say so. */
  readonly redirects: boolean;
  /** Both ends said USE_PPK (RFC 8784). */
  readonly ppk: boolean;
  /** What it takes in signatures (RFC 7427 4). */
  readonly signatureHashes: readonly number[];
}

/** What both ends know after IKE_SA_INIT, or after the rekey that made the SA. */
export interface Channel extends Abilities {
  /** We are the original initiator of this IKE SA. */
  readonly initiator: boolean;
  readonly spiInitiator: Uint8Array;
  readonly spiResponder: Uint8Array;
  readonly suite: IkeSuite;
  /** What keeps SK_d, and all keys that come of it, from whoever records today and has a quantum computer one day. */
  readonly quantumSafe: QuantumSafety | null;
  /** Taken up again by a ticket (RFC 5723): both ends prove themselves by the keys. */
  readonly resumed: boolean;
  readonly keys: IkeKeys;
  readonly sealer: Sealer;
  readonly opener: Opener;
}

/** The last request of the peer and what it was told, to be told again bit by bit (RFC 7296 2.1). */
export interface Answered {
  /** One datagram, or the first fragment. */
  readonly request: Uint8Array;
  /** More than one datagram are fragments. */
  readonly answer: readonly Uint8Array[];
}

/** Message ids, RFC 7296 2.2. */
export interface Requests {
  /** Of our next request. */
  readonly next: number;
  /** Of the peer's next request. */
  readonly expected: number;
  readonly answered: Answered | null;
}

export interface Nonces {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}

export interface InitSent {
  readonly name: 'initSent';
  readonly peer: Peer;
  readonly spi: Uint8Array;
  /** The message, which our AUTH covers. */
  readonly request: Uint8Array;
  readonly nonce: Uint8Array;
  readonly keyPair: KeyPair;
  readonly cookie: Uint8Array | null;
  readonly redirectedFrom: string | null;
  readonly sent: Sent;
  /** How often the peer made us begin again (COOKIE, INVALID_KE_PAYLOAD); bounded. */
  readonly restarts: number;
  /** The worst news so far. Anybody can forge it, so a better answer is awaited until `at`. */
  readonly refusal: { readonly failure: Failure; readonly detail: string; readonly at: number } | null;
}

/** A ticket is tried in the place of a key exchange (RFC 5723). */
export interface ResumeSent {
  readonly name: 'resumeSent';
  readonly peer: Peer;
  readonly spi: Uint8Array;
  readonly request: Uint8Array;
  readonly nonce: Uint8Array;
  readonly held: Held;
  readonly cookie: Uint8Array | null;
  readonly restarts: number;
  readonly sent: Sent;
}

/** With an additional key exchange: between IKE_SA_INIT and IKE_AUTH. */
export interface IntermediateSent {
  readonly name: 'intermediateSent';
  readonly peer: Peer;
  readonly request: Uint8Array;
  readonly channel: Channel;
  readonly path: Path;
  readonly nat: Nat;
  readonly nonces: Nonces;
  readonly initAnswer: Uint8Array;
  readonly key: KemKey;
  /** Our half of what AUTH covers in addition (RFC 9242 3.3.2). */
  readonly covered: Uint8Array;
  readonly sent: Sent;
}

export interface InitAnswered {
  readonly name: 'initAnswered';
  readonly channel: Channel;
  readonly path: Path;
  readonly nat: Nat;
  readonly nonces: Nonces;
  /** Both IKE_SA_INIT messages, which the two AUTH payloads cover. */
  readonly init: { readonly request: Uint8Array; readonly answer: Uint8Array };
  readonly answered: Answered;
  /** Message id of what comes next: IKE_AUTH, or IKE_INTERMEDIATE if that was agreed and has not been. */
  readonly expected: number;
  readonly intAuth: Uint8Array;
  /** Whose ticket it was; nobody else may prove himself here. */
  readonly ticketOf?: string;
  readonly expiresAt: number;
}

export interface AuthSent {
  readonly name: 'authSent';
  readonly peer: Peer;
  readonly channel: Channel;
  readonly path: Path;
  readonly nat: Nat;
  readonly nonces: Nonces;
  /** The peer's IKE_SA_INIT message, which its AUTH covers. */
  readonly initAnswer: Uint8Array;
  readonly intAuth: Uint8Array;
  /** Our inbound SPI of the first child SA; null for an IKE SA that begins without one (RFC 6023). */
  readonly childSpi: number | null;
  /** The keys of the SA if the peer has the same PPK (RFC 8784); null: none was offered. */
  readonly ppkKeys: IkeKeys | null;
  readonly sent: Sent;
}

export interface Established {
  readonly name: 'established';
  readonly peer: Peer;
  readonly channel: Channel;
  readonly path: Path;
  readonly nat: Nat;
  readonly requests: Requests;
  readonly family: Family;
  readonly task: Task | null;
  readonly pending: Pending | null;
  /** Both ends have MOBIKE (RFC 4555). */
  readonly mobike: boolean;
  /** We made the first IKE SA of this family: who may move (RFC 4555 1.3), whichever end has rekeyed since. */
  readonly caller: boolean;
  readonly updateWanted: boolean;
  readonly checkWanted: boolean;
  /** The peer says that it has no other SA with us (RFC 7296 2.4). */
  readonly initialContact: boolean;
  /** Where the peer is to be sent as soon as the window allows. */
  readonly redirect: string | null;
  /** By which the peer shows that it was restarted (RFC 6290). */
  readonly crashToken: Uint8Array | null;
  /** Ours for this SA is not told yet: the SA is of a rekey that we began. */
  readonly tokenWanted: boolean;
  /** When a ticket is asked for again. */
  readonly ticketAt: number;
  readonly createdAt: number;
  readonly rekeyAt: number;
  readonly hardAt: number;
  readonly rekeys: number;
  /** When the peer last proved to be alive. */
  readonly heardAt: number;
  /** If it does not own the family by then, it is deleted; its peer should have done so. */
  readonly retireAt: number;
}

/** A DELETE of the IKE SA is under way; the children are gone, or belong to another SA. */
export interface Closing {
  readonly name: 'closing';
  readonly peer: Peer;
  readonly channel: Channel;
  readonly path: Path;
  readonly nat: Nat;
  readonly requests: Requests;
  readonly family: Family;
  /** The DELETE, or before it an older request whose answer nobody wants any more (window 1). */
  readonly sent: Sent;
  readonly deleteSent: boolean;
  readonly giveUpAt: number;
}

/** Nothing is left but the last answer, in case the peer did not get it. */
export interface Spent {
  readonly name: 'spent';
  readonly answered: Answered;
  readonly expiresAt: number;
}

export interface Closed {
  readonly name: 'closed';
}
export const closed: Closed = { name: 'closed' };

export type IkeState =
  | InitSent
  | ResumeSent
  | IntermediateSent
  | InitAnswered
  | AuthSent
  | Established
  | Closing
  | Spent
  | Closed;

/** A message whose header fits the SA; `payloads` are the decoded, authenticated ones (plain in IKE_SA_INIT). */
export interface Incoming {
  readonly header: ReceivedHeader;
  readonly bytes: Uint8Array;
  readonly path: Path;
  readonly payloads: readonly Payload[];
}

/** One that was encrypted; `inner` are the octets of its payloads and the type of the first. */
export interface Authentic extends Incoming {
  readonly inner: { readonly first: number; readonly chain: Uint8Array };
}
