/** What `moat status` shows, made of what the parts know. Pure. */
import type { Counters, SaStats } from '../../native/index.ts';
import type { Config, PeerConfig } from '../config/schema.ts';
import type { Failure, IkeSaStatus } from '../ike/api.ts';
import type { HomeState } from './home.ts';
import type { MtuStatus } from './mtu.ts';
import { type FailureFacts, failureSentence, quantumSentence } from './sentences.ts';
import type { Traffic } from './traffic.ts';

export interface TunnelStatus {
  readonly role: 'home' | 'portal';
  readonly name: string;
  readonly revision: number;
  /** Octets of the largest packet that the tunnel takes from the LAN. */
  readonly mtu: number;
  /** `up`: all that should work does. `connecting`: nothing has failed yet. `down`: `problems` says why. */
  readonly state: 'up' | 'connecting' | 'down';
  readonly problems: readonly string[];
  readonly peers: readonly PeerStatus[];
  readonly dataplane: Counters | null;
  /** None when there are more than a thousand. */
  readonly securityAssociations: readonly SaStats[];
  /** IKE messages dropped, by reason. */
  readonly ikeDrops: Readonly<Record<string, number>>;
}

export interface PeerStatus {
  readonly name: string;
  readonly id: string;
  readonly state: 'up' | 'connecting' | 'waiting' | 'idle';
  /** What is wrong, in one sentence; null when nothing is. */
  readonly problem: string | null;
  /** The same for programs. */
  readonly failure: Failure | null;
  readonly failedAttempts: number;
  readonly retryInSeconds: number | null;
  /** Over all rekeys; null while there is no tunnel. */
  readonly upSeconds: number | null;
  readonly traffic: Traffic;
  /** The way of packets towards the peer; null while there is no tunnel. */
  readonly mtu: MtuStatus | null;
  readonly proofAddresses: readonly string[];
  readonly ike: IkeSaStatus | null;
  /** Whether what the tunnel carries today stays closed to a quantum computer of the future; null while there is no tunnel. */
  readonly quantum: string | null;
}

/** What the service knows of one peer. */
export interface PeerFacts {
  readonly config: PeerConfig;
  /** The calling machine of a home; null at a portal, which waits to be called. */
  readonly call: HomeState | null;
  /** The last failure of a peer that is not up. */
  readonly failure: { readonly failure: Parameters<typeof failureSentence>[0]; readonly facts: FailureFacts } | null;
  /** On the clock of `Facts.now`. */
  readonly upSince: number | null;
  readonly traffic: Traffic;
  readonly mtu: MtuStatus | null;
  readonly ike: IkeSaStatus | null;
}

export interface Facts {
  readonly now: number;
  readonly config: Config;
  /** Sentences: the data plane that does not open, the network that cannot be set, a refused configuration. */
  readonly problems: readonly string[];
  readonly peers: readonly PeerFacts[];
  readonly dataplane: Counters | null;
  readonly securityAssociations: readonly SaStats[];
  readonly ikeDrops: Readonly<Record<string, number>>;
}

export function tunnelStatus(facts: Facts): TunnelStatus {
  const peers = facts.peers.map((peer) => peerStatus(peer, facts.now));
  const { role, name, revision } = facts.config;
  // A portal is well while some of its boxes are away; that is their trouble, and named with them.
  const troubled = role === 'home' ? peers.flatMap(({ problem }) => problem ?? []) : [];
  const problems = [...facts.problems, ...troubled];
  const waitingForPeer = role === 'home' && peers.some(({ state }) => state !== 'up');
  return {
    role,
    name,
    revision,
    mtu: facts.config.tunnel.mtu,
    state: problems.length > 0 ? 'down' : waitingForPeer ? 'connecting' : 'up',
    problems,
    peers,
    dataplane: facts.dataplane,
    securityAssociations: facts.securityAssociations,
    ikeDrops: facts.ikeDrops,
  };
}

function peerStatus(peer: PeerFacts, now: number): PeerStatus {
  const up = peer.ike !== null && peer.ike.children.length > 0;
  const { call } = peer;
  return {
    name: peer.config.name,
    id: peer.config.id,
    state: up ? 'up' : stateOfCall(call),
    problem: up || !peer.failure ? null : failureSentence(peer.failure.failure, peer.failure.facts),
    failure: up ? null : (peer.failure?.failure ?? null),
    failedAttempts: call && call.name !== 'up' ? call.attempt : 0,
    retryInSeconds: call?.name === 'waiting' ? Math.max(0, Math.round((call.until - now) / 1000)) : null,
    upSeconds: peer.upSince === null ? null : Math.floor((now - peer.upSince) / 1000),
    traffic: peer.traffic,
    mtu: peer.mtu,
    proofAddresses: peer.config.proofAddresses,
    ike: peer.ike,
    quantum: peer.ike ? quantumSentence(peer.ike) : null,
  };
}

function stateOfCall(call: HomeState | null): 'connecting' | 'waiting' | 'idle' {
  if (call === null) return 'idle';
  return call.name === 'waiting' ? 'waiting' : 'connecting';
}
