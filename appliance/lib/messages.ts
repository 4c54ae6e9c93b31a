/**
 * Everything the supervisor and its services say to each other, over Node's IPC channel. A service is a
 * process of its own; it does nothing until it is configured, and applies each configuration whole.
 */
export type ToService =
  /** Idempotent: the same slice again changes nothing. Answered by `configured` or `refused`. */
  | { readonly kind: 'configure'; readonly revision: number; readonly slice: unknown }
  /** Prove the work (an answer on the wire, not "the process lives"); answered by `probed`. */
  | { readonly kind: 'probe'; readonly id: number }
  /** Answered by `status`. */
  | { readonly kind: 'describe'; readonly id: number }
  /** Finish what is in hand and exit 0. */
  | { readonly kind: 'stop' };

/** What the tunnel understands besides. */
export type ToTunnel =
  | ToService
  /** A cable, an address or a router has changed: what failed before may work now. */
  | { readonly kind: 'networkChanged' }
  /** New keys now, for one peer or for all. */
  | { readonly kind: 'rekey'; readonly what: 'child' | 'ike'; readonly peer: string | null };

/** DNS servers inside a company, and the domains of which they are to be asked (RFC 8598). */
export interface AssignedResolver {
  /** Names in text, at least one. */
  readonly domains: readonly string[];
  /** Addresses, at least one. */
  readonly servers: readonly string[];
}

/** What the DNS service understands besides. */
export type ToDns =
  | ToService
  /** All that gateways have given at present, in the place of those before. */
  | { readonly kind: 'resolvers'; readonly resolvers: readonly AssignedResolver[] };

export type FromService =
  | { readonly kind: 'started' }
  | { readonly kind: 'configured'; readonly revision: number }
  /** The old configuration stays in force; `problem` is a sentence for people. */
  | { readonly kind: 'refused'; readonly revision: number; readonly problem: string }
  | { readonly kind: 'probed'; readonly id: number; readonly ok: boolean; readonly detail: string }
  | { readonly kind: 'status'; readonly id: number; readonly status: unknown }
  /** Of the tunnel: for the DNS service, whenever it changes. */
  | { readonly kind: 'resolvers'; readonly resolvers: readonly AssignedResolver[] };
