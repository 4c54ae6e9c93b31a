import { createRequire } from 'node:module';
import type { CookieSecrets } from '../appliance/lib/cookie-secrets.ts';
import type { InboundSa, OutboundSa } from '../appliance/lib/esp-sa.ts';
import type { Path } from '../appliance/lib/net.ts';

export interface DataplaneOptions {
  /** The interface that inner packets pass; it is created, and removed by `close`. `mtu` in octets, 576 to 65535. */
  readonly tun: { readonly name: string; readonly mtu: number };
  /** UDP ports to bind on all local addresses of both families; normally 500 and 4500 (RFC 7296 2.23). */
  readonly ports: { readonly ike: number; readonly natTraversal: number };
  /** Packets, a power of two of at least 64; normally 4096. */
  readonly replayWindow: number;
  /** 2: the way out has a thread of its own while there is much to do. `auto`, the default: 2 where the machine has more than two processors. */
  readonly threads?: 1 | 2 | 'auto';
  /** What counts as much to do and as little: percent of one processor that both ways spend together. 50 and 25 when not given. */
  readonly apart?: { readonly onAbove: number; readonly offBelow: number };
}

export type DataplaneEvent =
  /** A datagram for IKE; the non-ESP marker (RFC 3948 2.2) is already removed. */
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array; readonly path: Path }
  /** A packet that no outbound SA covers; at most one event per second. */
  | { readonly kind: 'acquire'; readonly source: string; readonly destination: string; readonly protocol: number }
  /** An outbound SA has used three quarters of its sequence numbers or of its cipher's safe number of packets. */
  | { readonly kind: 'expiring'; readonly tunnel: number; readonly spi: number };

/**
 * Inner packets since start: handed to the interface, and taken from it and sent. One name for every reason to drop a packet;
 * the names are listed in `native/drop.h`.
 */
export interface Counters {
  readonly received: { readonly packets: number; readonly octets: number };
  readonly sent: { readonly packets: number; readonly octets: number };
  readonly drops: Readonly<Record<string, number>>;
}

export interface SaStats {
  readonly direction: 'inbound' | 'outbound';
  readonly tunnel: number;
  readonly spi: number;
  /** False for an outbound SA that waits for `afterInbound` or was superseded. */
  readonly active: boolean;
  /** Inner packets; a dummy or a dropped packet is none. */
  readonly packets: number;
  /** Octets of inner packets. */
  readonly octets: number;
  /** Highest sequence number sent or accepted. */
  readonly sequence: number;
  /** Inbound only: sequence numbers that left the window without having been received. */
  readonly lost: number;
  readonly mode: 'aggfrag' | 'tunnel';
  /** ESP packets that carried inner packets or parts of them. */
  readonly envelopes: number;
  /** Inbound with AGGFRAG: inner packets that began to arrive and were given up. */
  readonly incomplete: number;
  /** Milliseconds since the last packet; null before the first. */
  readonly idleMs: number | null;
  /** Outbound only: where packets go now. */
  readonly path: Path | null;
}

/** What a tunnel has carried through all its rekeys, and how it carries now. Kept as long as the tunnel has an SA. */
export interface TunnelStats {
  readonly tunnel: number;
  /** Inner packets. */
  readonly received: { readonly packets: number; readonly octets: number };
  readonly sent: { readonly packets: number; readonly octets: number };
  /** Sequence numbers of the peer that never came, without those of its probes for a larger path. */
  readonly lost: number;
  /** Milliseconds since the last authenticated packet; null before the first. */
  readonly receivedAgoMs: number | null;
  /** Towards the peer; null before an outbound SA was active. */
  readonly outbound: {
    readonly mode: 'aggfrag' | 'tunnel';
    /** Octets of the largest outer IP packet. */
    readonly pathMtu: number;
    /** `probed`: found by probes that the peer acknowledged; `assumed`: taken from the route, or the safe minimum. */
    readonly pathMtuSource: 'probed' | 'assumed';
    /** Milliseconds since a probe last found it; null when none has. */
    readonly foundAgoMs: number | null;
    readonly searching: boolean;
    /** How often the path lost what it had carried before. */
    readonly blackHoles: number;
    /** Octets of ESP payload in the largest envelope. */
    readonly envelopePayload: number;
    /** The MSS that connections through the tunnel are lowered to; null when clamping is off. */
    readonly clampMss: { readonly ipv4: number; readonly ipv6: number } | null;
  } | null;
}

/**
 * The packet path. Every call is a command to the one thread that owns the SA table; commands take effect
 * in the order given, so that an SA installed before `send` is there when the answer arrives.
 */
export interface Dataplane {
  /** Installing the same SPI again replaces nothing and changes nothing. */
  installInbound(sa: InboundSa): void;
  installOutbound(sa: OutboundSa): void;
  activateOutbound(tunnel: number, spi: number): void;
  /** Removing what is not there is no error. Keys are wiped. */
  removeInbound(spi: number): void;
  removeOutbound(tunnel: number, spi: number): void;
  /** Moves the outbound path of a tunnel (RFC 4555, or a NAT that changed its mapping). */
  movePath(tunnel: number, path: Path): void;
  /** Sends an IKE message; the non-ESP marker is added when `path.local.port` is the NAT traversal port. */
  send(datagram: Uint8Array, path: Path): void;
  /**
   * For so many milliseconds from now an IKE_SA_INIT, or an IKE_SESSION_RESUME, without a right cookie of these secrets is answered with
   * one and goes no further (RFC 7296 2.6).
   */
  demandCookies(secrets: CookieSecrets, milliseconds: number): void;
  counters(): Counters;
  saStats(): readonly SaStats[];
  /** By tunnel. */
  tunnelStats(): readonly TunnelStats[];
  /** Tunnels that have received an authenticated packet within so many milliseconds: cheap also where there are thousands. */
  heard(withinMs: number): readonly number[];
  close(): Promise<void>;
}

/** An error of `openDataplane`: `code` is ENOTUN, EPERM, EADDRINUSE or the errno's name; `message` is a sentence for people. */
export interface DataplaneError extends Error {
  readonly code: string;
}

interface Addon {
  /** `onWaiting` is called when there is something to `take`, and not again before `take` has found nothing. */
  open(options: DataplaneOptions, onWaiting: () => void): Dataplane & { take(): DataplaneEvent | undefined };
}

/** Timers, and what others say to this process, wait no longer for the events of a flood. */
const turnMs = 4;

/** @throws {DataplaneError} */
export function openDataplane(options: DataplaneOptions, onEvent: (event: DataplaneEvent) => void): Dataplane {
  const addon = createRequire(import.meta.url)('./build/moat.node') as Addon;
  const takeTurn = () => {
    const until = performance.now() + turnMs;
    do {
      const event = plane.take();
      if (event === undefined) return;
      onEvent(event);
    } while (performance.now() < until);
    setImmediate(takeTurn);
  };
  const plane = addon.open(options, takeTurn);
  return plane;
}
