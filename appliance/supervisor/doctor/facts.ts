/** What an examination finds out, layer by layer. `examine.ts` fills it in; `diagnose.ts` judges it. */
import type { Failure } from '../../ike/api.ts';

export interface Facts {
  readonly configuration: {
    /** Sentence: refused or taken back; null when what was asked for is in force. */
    readonly problem: string | null;
    readonly inForce: boolean;
  };
  /** Sentences of services that do not work, and of the tunnel's own device. */
  readonly box: { readonly tunnelProblem: string | null; readonly serviceProblems: readonly string[] };
  readonly wild: {
    readonly device: string | null;
    readonly present: boolean;
    readonly up: boolean;
    readonly carrier: boolean;
    readonly addresses: readonly string[];
  };
  readonly router: {
    /** Where packets to the portal go first; null when there is no route. */
    readonly gateway: string | null;
    readonly reachable: boolean;
  };
  /** Null at a portal, which calls nobody. */
  readonly path: PathFacts | null;
  readonly tunnel: {
    readonly peer: string;
    readonly up: boolean;
    readonly failure: Failure | null;
    readonly problem: string | null;
    readonly natLocal: boolean;
    readonly natRemote: boolean;
    /** Inner packets that came while hosts behind the tunnel were asked. */
    readonly packetsIn: number;
    readonly packetsOut: number;
    /** Of the ESP packets to us, those that never came, since the tunnel is up. */
    readonly lossPercent: number;
  } | null;
  readonly inside: readonly InsideFacts[];
  readonly resolvers: readonly { readonly server: string; readonly via: 'wan' | 'tunnel'; readonly answers: boolean }[];
  readonly disk: { readonly problem: string | null; readonly freePercent: number };
  /** Sentence fragment; null when nothing speaks against the clock. */
  readonly clockProblem: string | null;
  readonly lan: readonly { readonly zone: string; readonly device: string; readonly carrier: boolean }[];
  readonly overlaps: readonly string[];
  /** Sentences about networks that are reached under other addresses. */
  readonly mappings: readonly string[];
}

export interface PathFacts {
  readonly portal: string;
  /** Of the questions to the portal itself (ICMP echo), how many were answered. */
  readonly echo: { readonly sent: number; readonly received: number };
  /** The same for the first router. */
  readonly routerEcho: { readonly sent: number; readonly received: number };
  /** Who says that packets to the portal came as far as them, in order of distance. */
  readonly hops: readonly string[];
  /** ICMP says that nobody listens on the portal's UDP 500. */
  readonly refused: boolean;
  readonly tcp: 'accepted' | 'refused' | 'silent';
  /** What answered an HTTP question to the portal, which serves none. */
  readonly http: string | null;
  /** The largest unfragmented packet that the portal answered, octets; null when it answers none. */
  readonly largestEcho: number | null;
}

export interface InsideFacts {
  readonly target: string;
  readonly small: boolean;
  /** A packet of the LAN's size that may not be fragmented. */
  readonly large: boolean;
  /** Who said by ICMP that it cannot be reached. */
  readonly unreachableFrom: string | null;
}

export type Layer =
  | 'configuration'
  | 'box'
  | 'link'
  | 'address'
  | 'router'
  | 'provider'
  | 'udp'
  | 'portal'
  | 'ike'
  | 'esp'
  | 'pathMtu'
  | 'inside'
  | 'dns'
  | 'clock'
  | 'disk'
  | 'lan'
  | 'none';

export interface Finding {
  readonly layer: Layer;
  /** Whose fault, and what to do. */
  readonly sentence: string;
}

export interface Diagnosis extends Finding {
  /** What else is wrong. */
  readonly further: readonly Finding[];
  /** What was seen, a line for each layer. */
  readonly evidence: readonly string[];
}
