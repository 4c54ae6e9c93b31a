import type { InboundSa, OutboundSa } from '../lib/esp-sa.ts';
import type { Path, Selector } from '../lib/net.ts';
import type { Assignment, Peer, QuantumSafety } from './api.ts';
import type { ChildKeys } from './crypto/keys.ts';
import type { ChildFeatures } from './features.ts';
import type { Nat } from './nat.ts';
import type { EspSuite } from './negotiate.ts';
import { between, lifeOf } from './retransmit.ts';
import type { Channel } from './states.ts';
import { report, type Turn } from './turn.ts';

/** Packets that were under way when an SA was deleted still arrive (RFC 7296 2.8). */
const lingerMilliseconds = 5_000;
/** How long a superseded SA waits for the peer's DELETE before it is deleted by us. */
export const retireMilliseconds = 60_000;

export type ChildPhase =
  | 'live'
  /** Replaced by a rekey of the peer, which is to delete it. */
  | 'superseded'
  /** Ours to delete as soon as the window allows. */
  | 'deleteWanted'
  | 'deleting';

/** What a child SA is by the exchange that made it. */
export interface ChildTerms {
  readonly tunnel: number;
  /** Which of the peer's policies it serves (`policies.ts`). */
  readonly policy: number;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: EspSuite;
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly rekeys: number;
}

export interface Child extends ChildTerms {
  readonly quantumSafe: QuantumSafety | null;
  /** False for one that lost a collision: the data plane never sees it. */
  readonly installed: boolean;
  readonly aggfrag: boolean;
  readonly encapsulation: OutboundSa['encapsulation'];
  readonly phase: ChildPhase;
  readonly createdAt: number;
  readonly rekeyAt: number;
  readonly hardAt: number;
  readonly retireAt: number;
}

/**
 * The child SAs of one peer, shared by an IKE SA and those that its rekeys make. The one thing in the core that
 * several states point at, so that children cannot be with two SAs, or with none, while IKE SAs change.
 */
export interface Family {
  /** Key of the IKE SA (`saKey`) whose children they are. */
  owner: string;
  /** The IKE SA that the peer made while we were making one; null once it is clear which of them stays. */
  heir: string | null;
  children: readonly Child[];
  lingering: readonly { readonly spi: number; readonly at: number }[];
  /** What one end has given the other (RFC 7296 2.19), and the selectors of the addresses, by the side that has them. */
  assignment: Assignment | null;
  assigned: { readonly local: readonly Selector[]; readonly remote: readonly Selector[] };
  /** From when on the caller asks for child SAs that are missing. */
  recreateAt: number;
}

export function newFamily(owner: string): Family {
  const assigned = { local: [], remote: [] };
  const recreateAt = Number.NEGATIVE_INFINITY;
  return { owner, heir: null, children: [], lingering: [], assignment: null, assigned, recreateAt };
}

/** What `install` needs of an IKE SA. */
export interface Host {
  readonly peer: Peer;
  readonly path: Path;
  readonly nat: Nat;
  readonly channel: Pick<Channel, 'quantumSafe'>;
  readonly family: Family;
}

/** One that is about to be installed. */
export interface NewChild extends ChildTerms {
  readonly features: ChildFeatures;
  readonly keys: ChildKeys;
  /** We began the exchange that made it. */
  readonly initiator: boolean;
  readonly activate: OutboundSa['activate'];
}

/** Puts both directions into the data plane, inbound first (RFC 7296 2.8), and the child into the family. */
export function installChild(host: Host, child: NewChild, turn: Turn): void {
  const { inbound, outbound } = directions(host, child, turn);
  turn.emit({ kind: 'installInbound', sa: inbound });
  turn.emit({ kind: 'installOutbound', sa: outbound });
  addChild(host, child, turn, 'live');
}

/** The child that lost a collision: it never carries anything, and its maker deletes it. */
export function addLostChild(host: Host, child: NewChild, turn: Turn): void {
  child.keys.initiator.wipe();
  child.keys.responder.wipe();
  addChild(host, child, turn, 'deleteWanted');
}

function addChild(host: Host, child: NewChild, turn: Turn, phase: ChildPhase): void {
  const { tunnel, policy, spiIn, spiOut, suite, local, remote, rekeys } = child;
  const { childRekeySeconds, keySeconds } = host.peer.lifetimes;
  const times = {
    createdAt: turn.now,
    ...lifeOf(childRekeySeconds, keySeconds, turn),
    retireAt: Number.POSITIVE_INFINITY,
  };
  const encapsulation = encapsulationOf(host, turn);
  const { aggfrag } = child.features;
  const installed = phase === 'live';
  const added: Child = {
    installed,
    aggfrag,
    encapsulation,
    quantumSafe: suite.additionalKeyExchange ?? host.channel.quantumSafe,
    ...{ tunnel, policy, spiIn, spiOut, suite, local, remote, rekeys, phase },
    ...times,
  };
  host.family.children = [...host.family.children, added];
}

function directions(host: Host, child: NewChild, turn: Turn): { inbound: InboundSa; outbound: OutboundSa } {
  const { tunnel, suite, local, remote, features, keys, initiator } = child;
  const common = { tunnel, cipher: suite.cipher, esn: suite.esn, local, remote, ...host.peer.forwarding, ...features };
  const outbound: OutboundSa = {
    ...common,
    spi: child.spiOut,
    key: initiator ? keys.initiator : keys.responder,
    path: host.path,
    encapsulation: encapsulationOf(host, turn),
    keepaliveSeconds: host.nat.local ? host.peer.keepaliveSeconds : 0,
    followPeer: !host.nat.local,
    activate: child.activate,
  };
  return { inbound: { ...common, spi: child.spiIn, key: initiator ? keys.responder : keys.initiator }, outbound };
}

/** On the NAT traversal port because a NAT was found, or from the start by choice: there both ends take ESP in UDP. */
export function encapsulationOf(host: Pick<Host, 'path'>, turn: Turn): OutboundSa['encapsulation'] {
  return host.path.local.port === turn.world.options.natTraversalPort ? 'udp' : 'none';
}

export function childBy(family: Family, which: { spiIn: number } | { spiOut: number }): Child | null {
  const fits = (child: Child) => ('spiIn' in which ? child.spiIn === which.spiIn : child.spiOut === which.spiOut);
  return family.children.find(fits) ?? null;
}

export function amendChild(family: Family, spiIn: number, changes: Partial<Child>): void {
  family.children = family.children.map((child) => (child.spiIn === spiIn ? { ...child, ...changes } : child));
}

/** The peer is to delete it; in case it forgets, we do. */
export function supersede(family: Family, spiIn: number, turn: Turn): void {
  const child = childBy(family, { spiIn });
  if (child?.phase === 'live')
    amendChild(family, spiIn, { phase: 'superseded', retireAt: turn.now + retireMilliseconds });
}

/** Takes a child out: outbound at once, inbound when what is under way has arrived. The tunnel goes on with its successor. */
export function removeChild(family: Family, child: Child, turn: Turn): void {
  family.children = family.children.filter((each) => each !== child);
  if (!child.installed) {
    turn.world.freeEspSpi(child.spiIn);
    return;
  }
  const successor = family.children.find((each) => each.tunnel === child.tunnel && each.phase === 'live');
  if (successor) turn.emit({ kind: 'activateOutbound', tunnel: child.tunnel, spi: successor.spiOut });
  turn.emit({ kind: 'removeOutbound', tunnel: child.tunnel, spi: child.spiOut });
  family.lingering = [...family.lingering, { spi: child.spiIn, at: turn.now + lingerMilliseconds }];
}

/** To be called when a child has gone for good: reports it and plans a new one, unless the tunnel lives on. */
export function afterLoss(host: Host, tunnel: number, turn: Turn): void {
  if (host.family.children.some((each) => each.tunnel === tunnel)) return;
  report(turn, { kind: 'childClosed', peer: host.peer.name, tunnel });
  host.family.recreateAt = turn.now + between(1_000, 3_000, turn.random);
}

export function removeLingering(family: Family, turn: Turn): void {
  const due = family.lingering.filter((each) => each.at <= turn.now);
  if (due.length === 0) return;
  family.lingering = family.lingering.filter((each) => each.at > turn.now);
  for (const { spi } of due) turn.emit({ kind: 'removeInbound', spi });
}

/** The IKE SA goes and takes everything with it. */
export function closeFamily(host: Host, turn: Turn): void {
  const { family } = host;
  for (const child of family.children) {
    if (!child.installed) turn.world.freeEspSpi(child.spiIn);
    if (!child.installed) continue;
    turn.emit({ kind: 'removeOutbound', tunnel: child.tunnel, spi: child.spiOut });
    turn.emit({ kind: 'removeInbound', spi: child.spiIn });
  }
  for (const { spi } of family.lingering) turn.emit({ kind: 'removeInbound', spi });
  const tunnels = new Set(family.children.map((child) => child.tunnel));
  family.children = [];
  family.lingering = [];
  for (const tunnel of tunnels) report(turn, { kind: 'childClosed', peer: host.peer.name, tunnel });
}

export function tunnelsOf(family: Family): ReadonlySet<number> {
  return new Set(family.children.map((child) => child.tunnel));
}
