import type { Path, Selector } from './net.ts';
import type { Secret } from './secret.ts';

/** AEAD transforms for ESP; all with a 16-octet ICV (RFC 4106, RFC 7634). */
export type EspCipher = 'aes-128-gcm-16' | 'aes-256-gcm-16' | 'chacha20-poly1305';

/** Private abilities of the data plane, used only where both ends announced them by moat's own notify. */
export interface Capabilities {
  /** Answers path probes (RFC 8899); of use only with `aggfrag`. */
  readonly pathProbes: boolean;
  readonly superPackets: boolean;
}

/** How the data plane treats inner packets of a tunnel: the configuration's choice, nothing that peers negotiate. */
export type Forwarding = Pick<OutboundSa, 'clampMss' | 'aggregationDelayMs' | 'tooBig'>;

export const noCapabilities: Capabilities = { pathProbes: false, superPackets: false };

/** What both directions of an ESP security association have in common. */
interface EspSa {
  /** The tunnel (one CHILD_SA and all its rekeyed successors) that this SA belongs to; 1 and up. */
  readonly tunnel: number;
  /** Security parameters index, 256 to 2^32 - 1. */
  readonly spi: number;
  readonly cipher: EspCipher;
  /** Key followed by the 4-octet salt, in the order in which KEYMAT yields them (RFC 7296 2.17, RFC 4106 8.1). */
  readonly key: Secret;
  /** 64-bit extended sequence numbers (RFC 4303 2.2.1). */
  readonly esn: boolean;
  /** Selectors of our side and of the peer's side, already narrowed. */
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  /** AGGFRAG payloads (RFC 9347) were negotiated; then nothing else is carried. */
  readonly aggfrag: boolean;
  /** Lower the MSS of TCP connections to what fits one envelope; normally true, and true when absent. */
  readonly clampMss?: boolean;
  /** None when absent. */
  readonly capabilities?: Capabilities;
}

export interface InboundSa extends EspSa {}

export interface OutboundSa extends EspSa {
  readonly path: Path;
  /** ESP in UDP (RFC 3948), or ESP as IP protocol 50. */
  readonly encapsulation: 'udp' | 'none';
  /** Seconds without an outgoing packet before a NAT keepalive (RFC 3948 4) is sent; 0 = never. */
  readonly keepaliveSeconds: number;
  /** Move the path to where fresh authenticated packets come from (RFC 7296 2.23): only if we are not behind a NAT. */
  readonly followPeer: boolean;
  /** With AGGFRAG: milliseconds that bulk traffic may wait for company in its envelope, 0 to 1000; 0 when absent: only what waits anyway. */
  readonly aggregationDelayMs?: number;
  /**
   * Without AGGFRAG, for a packet larger than an envelope: `fragment` (when absent) sends an envelope that IP fragments, so that the packet
   * arrives in one piece; `ptb` tells the sender of a packet with DF what fits, by ICMP.
   */
  readonly tooBig?: 'fragment' | 'ptb';
  /**
   * `now`: this SA replaces the tunnel's current outbound SA.
   * `afterInbound`: it waits until the inbound SA of that SPI has received an authenticated packet, or
   * until `activateOutbound` (RFC 7296 2.8: a responder must not use it before the initiator can receive).
   * It stops waiting when an SA installed later becomes active first.
   */
  readonly activate: 'now' | { readonly afterInbound: number };
}
