import type { Env } from '../lib/env.ts';
import type { EndpointOptions, IkeEffect, IkeReport, Peer, RemoteAuth } from './api.ts';
import type { Closing, Established } from './states.ts';
import type { Held, Tickets } from './tickets.ts';
import type { Identification } from './wire/identification.ts';

/** What one SA may ask of the endpoint that it is part of. */
export interface World {
  readonly options: EndpointOptions;
  /** 8 octets, not used by any SA of ours. */
  newIkeSpi(env: Env): Uint8Array;
  /** An inbound SPI that no child SA has; held until it is removed or `freeEspSpi`. */
  newEspSpi(env: Env): number;
  freeEspSpi(spi: number): void;
  newTunnel(): number;
  /** The peer with that identity; `local` is the name it calls us by, if it does. */
  peerFor(remote: Identification, local: Identification | null): Peer | null;
  hasEstablished(peer: string): boolean;
  /** Some peer is to have ESP in UDP whatever the path; which one calls is not known in IKE_SA_INIT. */
  pretendsNat(): boolean;
  /** Some peer has a PPK; and by what peers are to prove themselves who have certificates. */
  usesPpk(): boolean;
  trusts(): readonly RemoteAuth[];
  /** The gateway to which everybody is sent. */
  redirectsTo(): string | null;
  /** Whether that peer may send us elsewhere once more. */
  mayFollow(peer: string, now: number): boolean;
  /** As gateway; and what gateways have given to us. */
  readonly tickets: Tickets;
  keepTicket(held: Held): void;
  /** Takes in an IKE SA that a rekey made. */
  spawn(state: Established | Closing): void;
  count(reason: string): void;
}

/** One step: the clock and chance, the endpoint, and the effects so far. */
export interface Turn extends Env {
  readonly world: World;
  emit(effect: IkeEffect): void;
}

export function report(turn: Turn, what: IkeReport): void {
  turn.emit({ kind: 'report', report: what });
}
