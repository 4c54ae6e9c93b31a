/**
 * What the IKE core takes and gives. The core is synchronous and does no I/O: events and an `Env` go in,
 * effects come out, and the shell (`tunnel/service.ts`, or the simulation) performs them in order.
 */
import type { CookieSecrets } from '../lib/cookie-secrets.ts';
import type { Capabilities, EspCipher, Forwarding, InboundSa, OutboundSa } from '../lib/esp-sa.ts';
import type { Path, Selector } from '../lib/net.ts';
import type { Secret } from '../lib/secret.ts';
import type { Trust } from './x509/trust.ts';

/** RFC 7296 3.5. `value` is text for people: a name, an address, `C=CH, CN=gw` for a distinguished name, or hexadecimal octets for a key id. */
export interface Identity {
  readonly kind: 'fqdn' | 'rfc822' | 'ipv4' | 'ipv6' | 'dn' | 'keyId';
  readonly value: string;
}

/** How one side proves its identity: a raw Ed25519 key (RFC 8420 through RFC 7427), a certificate, or a shared key (RFC 7296 2.15). */
export type LocalAuth =
  | { readonly kind: 'ed25519'; readonly privateKey: Secret /* 32-octet seed */ }
  | {
      readonly kind: 'x509';
      readonly privateKey: Secret /* PKCS #8 */;
      readonly chain: readonly Uint8Array[] /* DER, our own first */;
    }
  | { readonly kind: 'psk'; readonly secret: Secret };
export type RemoteAuth =
  | { readonly kind: 'ed25519'; readonly publicKey: Uint8Array /* 32 octets, raw */ }
  | { readonly kind: 'x509'; readonly trust: Trust }
  | { readonly kind: 'psk'; readonly secret: Secret };

export type IkeCipher = 'aes-256-gcm-16' | 'aes-128-gcm-16' | 'chacha20-poly1305';
export type Prf = 'hmac-sha2-256' | 'hmac-sha2-384';
export type KeyExchange = 'x25519' | 'ecp256';
/** Added to the one above, never instead of it (RFC 9370): against a quantum computer of the future. */
export type AdditionalKeyExchange = 'mlkem768';

/** What protects traffic that is recorded today: an additional key exchange, or a pre-shared key mixed in (RFC 8784). */
export type QuantumSafety = AdditionalKeyExchange | 'ppk';

/** A post-quantum pre-shared key, RFC 8784. */
export interface Ppk {
  /** Its name, the same at both ends. */
  readonly id: string;
  readonly secret: Secret;
  /** No IKE SA without it. */
  readonly required: boolean;
}

/** Acceptable algorithms, most wanted first; the core forms proposals from the lists. */
export interface IkeAlgorithms {
  readonly ciphers: readonly IkeCipher[];
  readonly prfs: readonly Prf[];
  readonly keyExchanges: readonly KeyExchange[];
  /** `none` in the list allows a peer without; absent or empty is the same as `none` alone. */
  readonly additionalKeyExchanges?: readonly (AdditionalKeyExchange | 'none')[];
}
export interface EspAlgorithms {
  readonly ciphers: readonly EspCipher[];
  /** For forward secrecy in rekeys; `none` in the list allows a rekey without. */
  readonly keyExchanges: readonly (KeyExchange | 'none')[];
  /** In rekeys, as for IKE. */
  readonly additionalKeyExchanges?: readonly (AdditionalKeyExchange | 'none')[];
  /** Most wanted first: extended (64-bit) sequence numbers, or 32-bit ones. */
  readonly esn: readonly boolean[];
}

export interface Lifetimes {
  /** Seconds until a rekey is begun (minus up to a tenth at random); the hard limit is a quarter later. */
  readonly childRekeySeconds: number;
  readonly ikeRekeySeconds: number;
  /** An SA that could not be rekeyed ends when its keys are this old; a quarter more than the time of its rekey when not given. */
  readonly keySeconds?: number;
}

/** What one child SA is for. */
export interface ChildPolicy {
  readonly localSelectors: readonly Selector[];
  readonly remoteSelectors: readonly Selector[];
}

/** What a gateway gives a client (RFC 7296 2.19): at most one address of each family, and DNS for these domains or, without any, for all (RFC 8598). */
export interface Assignment {
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly domains: readonly string[];
}

/** One peer that we call or accept. Everything the core needs to know of it; it never looks elsewhere. */
export interface Peer {
  /** Unique name for reports and commands. */
  readonly name: string;
  readonly localId: Identity;
  readonly remoteId: Identity;
  readonly localAuth: LocalAuth;
  readonly remoteAuth: RemoteAuth;
  readonly ppk?: Ppk;
  readonly ike: IkeAlgorithms;
  readonly esp: EspAlgorithms;
  /** Offer and accept USE_AGGFRAG (RFC 9347). */
  readonly aggfrag: boolean;
  /** What our data plane has beyond that; used where the peer has it, too. */
  readonly capabilities: Capabilities;
  /** Handed on to the data plane with each SA; the core does not look at it. */
  readonly forwarding?: Forwarding;
  /** What we ask for as initiator and allow as responder; narrowed by the peer's wishes (RFC 7296 2.9). */
  readonly localSelectors: readonly Selector[];
  readonly remoteSelectors: readonly Selector[];
  /** A child SA for each, in place of one for the selectors above. */
  readonly children?: readonly ChildPolicy[];
  /** As initiator: ask for an address of each of these families, and the DNS that goes with it. */
  readonly requests?: readonly ('ipv4' | 'ipv6')[];
  /** As responder: what this peer is given if it asks. */
  readonly assigns?: Assignment;
  /** Take up an IKE SA again by a ticket after it was lost, and give tickets for that (RFC 5723). */
  readonly resumes?: boolean;
  /** As initiator: go to another gateway if this one says so (RFC 5685). */
  readonly followRedirects?: boolean;
  /** As responder: the gateway, an address or a name, to which this peer is sent. */
  readonly redirectTo?: string;
  /** As initiator: make the IKE SA first and the child SAs by CREATE_CHILD_SA, if the peer can (RFC 6023). */
  readonly childless?: boolean;
  readonly lifetimes: Lifetimes;
  /** Seconds without any authenticated packet from the peer before we ask whether it is alive; 0 = never. */
  readonly livenessSeconds: number;
  /**
   * `udp`: ESP in UDP on the NAT traversal port also where there is no NAT, since firewalls eat protocol 50; the peer is
   * made to believe that we are behind one, so that it does the same. `auto`: only where a NAT was found.
   */
  readonly encapsulation: 'udp' | 'auto';
  /** Seconds between NAT keepalives when we are behind a NAT. */
  readonly keepaliveSeconds: number;
}

/** Settings of the whole endpoint. */
export interface EndpointOptions {
  /** Half-open SAs above which COOKIE is demanded (RFC 7296 2.6). */
  readonly cookieThreshold: number;
  /** Half-open SAs above which new ones are dropped. */
  readonly halfOpenLimit: number;
  /** Ports of the NAT traversal socket, to float to. */
  readonly natTraversalPort: number;
  /** The time of day in milliseconds since 1970, by which certificates are valid or not; `now` is that of `Env`. */
  readonly timeOfDay: (now: number) => number;
  /** Outlives restarts, so that a peer learns of one at once (RFC 6290); 32 octets. */
  readonly crashSecret?: Uint8Array;
}

export type IkeEvent =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array; readonly path: Path }
  /** The time of `wakeAt()` has come. */
  | { readonly kind: 'wake' }
  /** Begin an IKE SA with this peer over this path (ports 500 to 500, or 4500 to 4500). */
  | { readonly kind: 'initiate'; readonly peer: string; readonly path: Path; readonly redirectedFrom?: string }
  /** Send every peer that can to another gateway, those that are up and those that call (RFC 5685); null: no more. */
  | { readonly kind: 'redirect'; readonly gateway: string | null }
  /** Rekey now: every child SA of the peer, or its IKE SA. */
  | { readonly kind: 'rekey'; readonly peer: string; readonly what: 'child' | 'ike' }
  /** Our address, or the way to the peer, has changed: take its SAs along (RFC 4555). Only the addresses of `path` count. */
  | { readonly kind: 'move'; readonly peer: string; readonly path: Path }
  /** Close gracefully: DELETE is sent, state is dropped when it is answered or after a few seconds. */
  | { readonly kind: 'close'; readonly peer: string }
  /** The data plane nears the end of an SA's sequence numbers. */
  | { readonly kind: 'expiring'; readonly tunnel: number; readonly spi: number }
  /** What came on the tunnel has broken off: ask whether the peer is there, which shows it where we are. */
  | { readonly kind: 'check'; readonly tunnel: number }
  /** The data plane has received fresh authenticated packets on the tunnel: the peer is alive. */
  | { readonly kind: 'alive'; readonly tunnel: number };

export type IkeEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array; readonly path: Path }
  | { readonly kind: 'installInbound'; readonly sa: InboundSa }
  | { readonly kind: 'installOutbound'; readonly sa: OutboundSa }
  | { readonly kind: 'activateOutbound'; readonly tunnel: number; readonly spi: number }
  | { readonly kind: 'removeInbound'; readonly spi: number }
  | { readonly kind: 'removeOutbound'; readonly tunnel: number; readonly spi: number }
  | { readonly kind: 'movePath'; readonly tunnel: number; readonly path: Path }
  /** More want an SA than we like: the data plane may answer those without a right cookie of these secrets for so long (RFC 7296 2.6). */
  | { readonly kind: 'demandCookies'; readonly secrets: CookieSecrets; readonly milliseconds: number }
  | { readonly kind: 'report'; readonly report: IkeReport };

/** Why an IKE SA could not be made or was lost. A fixed list, so that `moat status` can put each in a sentence. */
export type Failure =
  | 'noAnswer' // the peer is silent
  | 'authenticationFailed' // the peer refuses our proof, or knows no such identity
  | 'peerAuthenticationFailed' // the peer's proof does not fit the pinned key or shared secret
  | 'peerIdentityMismatch'
  | 'redirected' // the peer has sent us to another gateway
  | 'redirectLoop' // and that too often
  | 'ppkRequired' // one end insists on a PPK that the other has not
  | 'certificateTime' // the peer's certificate has expired or is not valid yet; or our clock is wrong
  | 'certificateRefused' // no trusted authority stands behind the peer's certificate, or it was revoked, or is not for this
  | 'ownCertificateTime' // the peer refuses us, and our own certificate is not within its time
  | 'noProposalChosen'
  | 'noChildSa' // IKE is up, the child was refused (detail names the notify)
  | 'peerRefused' // any other error notify
  | 'invalidAnswer' // what came back breaks the protocol
  | 'peerClosed' // DELETE from the peer
  | 'peerDead' // liveness check without an answer
  | 'replaced'; // a newer IKE SA of the same peer (INITIAL_CONTACT)

export type IkeReport =
  | { readonly kind: 'ikeEstablished'; readonly peer: string; readonly rekeyed: boolean }
  | { readonly kind: 'childEstablished'; readonly peer: string; readonly tunnel: number; readonly rekeyed: boolean }
  | { readonly kind: 'childClosed'; readonly peer: string; readonly tunnel: number }
  /** What the gateway has given us, before the child SA that carries it. */
  | { readonly kind: 'assigned'; readonly peer: string; readonly assignment: Assignment }
  /** To be called there instead, an address or a name; `from` is the gateway that said so. */
  | { readonly kind: 'redirected'; readonly peer: string; readonly gateway: string; readonly from: string }
  | { readonly kind: 'ikeClosed'; readonly peer: string; readonly failure: Failure | null; readonly detail: string }
  /** Before an SA exists: no IKE SA came of an `initiate`, or a stranger was refused (`peer` is then null). */
  | {
      readonly kind: 'failed';
      readonly peer: string | null;
      readonly failure: Failure;
      readonly detail: string;
      readonly path: Path;
    };

/** What `moat status` shows of an IKE SA. Ages in seconds. */
export interface IkeSaStatus {
  readonly peer: string;
  readonly state: string;
  readonly initiator: boolean;
  readonly spiInitiator: string;
  readonly spiResponder: string;
  readonly path: Path;
  readonly localId: string;
  readonly remoteId: string;
  readonly cipher: IkeCipher | null;
  readonly prf: Prf | null;
  readonly keyExchange: KeyExchange | null;
  readonly additionalKeyExchange: AdditionalKeyExchange | null;
  /** What keeps the children's keys from a quantum computer of the future; null: nothing. */
  readonly quantumSafe: QuantumSafety | null;
  /** Taken up again by a ticket. */
  readonly resumed: boolean;
  readonly natLocal: boolean;
  readonly natRemote: boolean;
  readonly ageSeconds: number;
  readonly rekeyInSeconds: number;
  readonly rekeys: number;
  /** What one end has given the other. */
  readonly assignment: Assignment | null;
  readonly children: readonly ChildSaStatus[];
}

export interface ChildSaStatus {
  readonly tunnel: number;
  readonly spiIn: string;
  readonly spiOut: string;
  readonly cipher: EspCipher;
  readonly esn: boolean;
  /** Of the rekey that made it; null for the first child, whose keys come from those of the IKE SA. */
  readonly keyExchange: KeyExchange | null;
  readonly additionalKeyExchange: AdditionalKeyExchange | null;
  /** Whether what it carries today stays closed to a quantum computer, and by what. */
  readonly quantumSafe: QuantumSafety | null;
  readonly mode: 'tunnel' | 'aggfrag';
  readonly encapsulation: 'udp' | 'none';
  readonly localSelectors: readonly Selector[];
  readonly remoteSelectors: readonly Selector[];
  readonly ageSeconds: number;
  readonly rekeyInSeconds: number;
  readonly rekeys: number;
}

/** The core's outer face, made by `createIkeEndpoint(options)` in `endpoint.ts`. */
export interface IkeEndpoint {
  /** Adds or changes a peer, live. A change of keys or selectors closes its SAs; others are untouched. */
  setPeer(peer: Peer): void;
  /** Forgets a peer; its SAs are closed by the effects. */
  removePeer(name: string, env: { now: number; random(length: number): Uint8Array }): IkeEffect[];
  step(event: IkeEvent, env: { now: number; random(length: number): Uint8Array }): IkeEffect[];
  /** Milliseconds on the clock of `env.now`; Infinity when nothing is to be done. */
  wakeAt(): number;
  /** Whether there is an IKE SA with a peer, or an attempt at one. */
  isBusy(): boolean;
  status(now: number): readonly IkeSaStatus[];
  /** Messages dropped, by reason. */
  counters(): Readonly<Record<string, number>>;
}
