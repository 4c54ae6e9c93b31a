import type { Peer } from '../../appliance/ike/api.ts';
import { Sealer } from '../../appliance/ike/crypto/sealed.ts';
import { exchangeTypes, notifyTypes } from '../../appliance/ike/numbers.ts';
import { Pair, peers, type Side } from '../../appliance/ike/pair.ts';
import type { Payload } from '../../appliance/ike/wire/payloads.ts';
import { Dataplane } from './dataplane.ts';

/*
 * Two ends and a wire that is moved by a trace, a word for each step:
 *
 *   a child      a rekeys its child          a>           a's oldest message arrives at b
 *   a ike        a rekeys the IKE SA         a> D         the same, and it must carry a D payload
 *   a delete     a deletes its child         a hold x     a's oldest message waits, by the name x
 *   a close      a deletes the IKE SA        a release x  it arrives now
 *   a soft       a's old child is worn out   a drop       it is lost
 *
 * `#0`, `#1`, ... behind a step: the nonce that is made in it. A variant says which of them is the lowest. Behind each step
 * each end must have a child on which the other hears it, unless the trace ends it: then `gap` stands behind the step.
 */

/** Its fragments, or one datagram. */
type Message = readonly ReturnType<Side['next']>[];
type Alter = (payloads: readonly Payload[]) => readonly Payload[];

/** What a sealed message has inside, seen where it is sealed: nobody can look into it afterwards. */
const inside = new WeakMap<Uint8Array, { readonly words: readonly string[] }>();
let alterNext: Alter | null = null;
const seal = Sealer.prototype.seal;
Sealer.prototype.seal = function (header, payloads, limit) {
  const altered = alterNext === null ? payloads : alterNext(payloads);
  alterNext = null;
  const datagrams = seal.call(this, header, altered, limit);
  const exchange = Object.entries(exchangeTypes).find(([, type]) => type === header.exchange)?.[0];
  const words = [exchange, header.response ? 'answer' : 'request', ...altered.map(wordOf)];
  if (altered.length === 0) words.push('empty');
  const content = { words: words.map(String) };
  for (const bytes of datagrams) inside.set(bytes, content);
  return datagrams;
};

function wordOf(payload: Payload): string {
  if (payload.type !== 'N') return payload.type;
  const number = payload.body.notify;
  return Object.entries(notifyTypes).find(([, type]) => type === number)?.[0] ?? `N(${number})`;
}

/** For answers that no honest end of ours gives: the next message that is sealed carries other payloads. */
const alterations: Readonly<Record<string, Alter>> = {
  /** The peer has lost the child that this would rekey. */
  unknownChild: (payloads) =>
    payloads.map((payload) =>
      payload.type === 'N' && payload.body.notify === notifyTypes.REKEY_SA
        ? { type: 'N', body: { ...payload.body, spi: Uint8Array.of(1, 2, 3, 4) } }
        : payload,
    ),
  /** A group that the peer has, but not the one of the other octets: it is told which is wanted. */
  otherGroup: (payloads) =>
    payloads.map((payload) => (payload.type === 'KE' ? { type: 'KE', body: { ...payload.body, group: 14 } } : payload)),
};

class Actor {
  readonly name: 'a' | 'b';
  readonly side: Side;
  readonly peer: string;
  readonly dataplane: Dataplane;
  #seen = 0;
  /** SPIs that it drew for what it began, newest last. */
  readonly began: { child: number | null; ike: string | null } = { child: null, ike: null };

  constructor(name: 'a' | 'b', side: Side, peer: string, fail: (problem: string) => void) {
    this.name = name;
    this.side = side;
    this.peer = peer;
    this.dataplane = new Dataplane(new Set(), (problem) => fail(`${name}: ${problem}`));
  }

  /** The next message that it sent. */
  next(): Message {
    const first = this.side.next();
    const parts = [first];
    const content = inside.get(first.bytes);
    while (content && this.side.wire[0] && inside.get(this.side.wire[0].bytes) === content)
      parts.push(this.side.next());
    return parts;
  }

  /** Brings the data plane up to date. */
  follow(): void {
    for (const effect of this.side.effects.slice(this.#seen)) this.dataplane.perform(effect);
    this.#seen = this.side.effects.length;
  }
}

export interface Outcome {
  readonly problems: readonly string[];
  /** Whose exchange made what both have in the end; null when nobody's did. */
  readonly winner: 'a' | 'b' | null;
}

export interface TraceOptions {
  /** `a` is the end that called, unless it is the other. */
  readonly aIsPortal?: boolean;
  /** Which of the numbered nonces is the lowest. */
  readonly lowest?: number;
  readonly peers?: { readonly home?: Partial<Peer>; readonly portal?: Partial<Peer> };
  /** Packets pass after every step, which is what makes a responder use its new SA (RFC 7296 2.8). */
  readonly traffic?: boolean;
  /** Child SAs and IKE SAs that each end has when everything is over. */
  readonly left?: number;
}

/** Seconds in which what was refused is tried again and what is left over is taken away. */
const dustSeconds = 90;
/** Of children that a trace deletes: the hard limit comes, before anybody could rekey. */
export const shortLife = { lifetimes: { childRekeySeconds: 10, ikeRekeySeconds: 14_400 } };
/** For the end of each trace: what is to be seen then is not to be rekeyed just then. */
const longLife = { lifetimes: { childRekeySeconds: 3_600, ikeRekeySeconds: 14_400 } };
const pastHardLimit = 13_000;
const retireMilliseconds = 61_000;

export function playTrace(trace: string, options: TraceOptions = {}): Outcome {
  return new Play(options).run(trace);
}

class Play {
  readonly #options: TraceOptions;
  readonly #pair: Pair;
  readonly #actors: Readonly<Record<'a' | 'b', Actor>>;
  readonly #held = new Map<string, Message>();
  readonly #problems: string[] = [];
  #packets = 0;

  constructor(options: TraceOptions) {
    this.#options = options;
    this.#pair = new Pair(options.peers);
    const fail = (problem: string) => void this.#problems.push(problem);
    const { home, portal } = this.#pair;
    const actor = (name: 'a' | 'b') =>
      (name === 'a') === (options.aIsPortal ?? false)
        ? new Actor(name, portal, 'home', fail)
        : new Actor(name, home, 'portal', fail);
    this.#actors = { a: actor('a'), b: actor('b') };
    this.#pair.initiate();
    this.#pair.settle();
  }

  run(trace: string): Outcome {
    for (const line of trace.split(/[;\n]/).map((text) => text.trim())) {
      if (line === '') continue;
      this.#step(line);
      this.#watch(line);
    }
    for (const { side, peer } of Object.values(this.#actors))
      side.endpoint.setPeer({ ...this.#peerOf(peer), ...longLife });
    for (let second = 0; second < dustSeconds; second += 1) {
      this.#pair.settle();
      this.#pair.wait(1_000);
    }
    this.#pair.settle();
    this.#end();
    return { problems: this.#problems, winner: this.#winner() };
  }

  #peerOf(name: string): Peer {
    const both = peers(this.#options.peers);
    return name === 'portal' ? both.home : both.portal;
  }

  #step(line: string): void {
    const [who = '', ...words] = line.replace('>', ' >').split(/\s+/);
    const actor = this.#actors[who as 'a' | 'b'];
    const nonce = words.find((word) => word.startsWith('#'));
    const first =
      this.#options.lowest === undefined || nonce === undefined ? null : nonceByte(nonce, this.#options.lowest);
    for (const each of [this.#actors.a, this.#actors.b]) each.side.firstOctet = first;
    const rest = words.filter((word) => !word.startsWith('#') && word !== 'gap');
    const [act = '', ...more] = rest;
    if (act === '>') this.#carry(actor, more, line);
    else if (act === 'hold') this.#held.set(more[0] ?? '', actor.next());
    else if (act === 'release') this.#hear(actor, this.#held.get(more[0] ?? '') ?? missing(line), more.slice(1), line);
    else if (act === 'drop') actor.next();
    else this.#begin(actor, act, more);
    for (const each of [this.#actors.a, this.#actors.b]) each.side.firstOctet = null;
  }

  #begin(actor: Actor, act: string, more: readonly string[]): void {
    const { side, peer } = actor;
    const [alteration] = more;
    if (alteration !== undefined) alterNext = alterations[alteration] ?? missing(alteration);
    if (act === 'child' || act === 'ike') {
      side.step({ kind: 'rekey', peer, what: act });
      actor.began[act === 'child' ? 'child' : 'ike'] = null;
    } else if (act === 'close') side.step({ kind: 'close', peer });
    else if (act === 'soft') this.#expire(actor);
    else if (act === 'delete') this.#jump(actor, pastHardLimit);
    else if (act === 'retire') this.#jump(actor, retireMilliseconds);
    else missing(act);
    if (act === 'child') actor.began.child = lastDraw(side, 4);
    if (act === 'ike') actor.began.ike = lastDrawHex(side, 8);
  }

  /** Time passes for one end alone, whose limits come; the other does not wake. */
  #jump({ side }: Actor, milliseconds: number): void {
    side.ahead += milliseconds;
    side.step({ kind: 'wake' });
  }

  /** The data plane says that the oldest of the end's SAs is worn out. */
  #expire({ side, peer, dataplane }: Actor): void {
    const [spi] = [...dataplane.pairs().outbound.keys()];
    const tunnel = side.endpoint.status(0).find((sa) => sa.peer === peer)?.children[0]?.tunnel;
    if (spi === undefined || tunnel === undefined) throw new Error('there is no SA to wear out');
    side.step({ kind: 'expiring', tunnel, spi });
  }

  #carry(actor: Actor, wanted: readonly string[], line: string): void {
    this.#hear(actor, actor.next(), wanted, line);
  }

  #hear(actor: Actor, message: Message, wanted: readonly string[], line: string): void {
    const [first] = message;
    const words = (first && inside.get(first.bytes)?.words) ?? [];
    const absent = wanted.filter((word) => !words.includes(word));
    if (absent.length > 0) this.#problems.push(`'${line}': expected ${absent.join(', ')}, it was ${words.join(' ')}`);
    for (const part of message) this.#other(actor).side.hear(part);
  }

  #other(actor: Actor): Actor {
    return actor === this.#actors.a ? this.#actors.b : this.#actors.a;
  }

  /** After every step packets pass both ways, unless the step has ended that. */
  #watch(line: string): void {
    const { a, b } = this.#actors;
    for (const each of [a, b]) each.follow();
    if (line.includes(' gap')) return;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const sealed = from.dataplane.seal(this.#packets);
      this.#packets += 1;
      const heard = sealed !== null && to.dataplane.hears(sealed.packet);
      if (!heard) this.#problems.push(`after '${line}' packets of ${from.name} do not reach ${to.name}`);
      if (sealed && this.#options.traffic) to.dataplane.open(sealed.packet, sealed.path);
    }
  }

  #end(): void {
    const wanted = this.#options.left ?? 1;
    for (const { name, side } of Object.values(this.#actors)) {
      const status = side.endpoint.status(0);
      const children = status.flatMap((sa) => sa.children);
      const { fault = 0 } = side.endpoint.counters();
      if (status.length !== wanted || children.length !== wanted || fault > 0) {
        this.#problems.push(
          `${name}: ${status.length} IKE SAs, ${children.length} children, ${fault} faults in the end`,
        );
      }
    }
    this.#watchEnd(wanted);
  }

  #watchEnd(wanted: number): void {
    const { a, b } = this.#actors;
    for (const each of [a, b]) each.follow();
    for (const { name, dataplane } of [a, b]) {
      const { inbound, outbound } = dataplane.counts();
      if (inbound !== wanted || outbound !== wanted) {
        this.#problems.push(`${name}: ${inbound} inbound and ${outbound} outbound SAs are left`);
      }
    }
    if (wanted > 0) this.#watch('everything');
  }

  #winner(): 'a' | 'b' | null {
    const { a, b } = this.#actors;
    const of = (actor: Actor) => {
      const [sa] = actor.side.endpoint.status(0);
      const spi = Number.parseInt(sa?.children[0]?.spiIn ?? '', 16);
      return spi === actor.began.child || (actor.began.ike !== null && sa?.spiInitiator === actor.began.ike);
    };
    return of(a) ? 'a' : of(b) ? 'b' : null;
  }
}

function nonceByte(nonce: string, lowest: number): number {
  return Number(nonce.slice(1)) === lowest ? 0x00 : 0xee;
}

function missing(what: string): never {
  throw new Error(`'${what}': there is no such thing in this trace`);
}

function lastDraw(side: Side, length: number): number {
  const octets = side.drawn.findLast((draw) => draw.length === length) ?? missing('a drawn SPI');
  return Buffer.from(octets).readUInt32BE();
}

function lastDrawHex(side: Side, length: number): string {
  return Buffer.from(side.drawn.findLast((draw) => draw.length === length) ?? missing('a drawn SPI')).toString('hex');
}
