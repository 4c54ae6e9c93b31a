import { DecodeError } from '../lib/bytes.ts';
import type { Env } from '../lib/env.ts';
import type { EndpointOptions, IkeEffect, IkeEndpoint, IkeEvent, IkeSaStatus, Peer } from './api.ts';
import { beginClosing, owns } from './channel.ts';
import { endAfterFault, expireNow, redirectNow, rekeyNow, release, replace, supplanted } from './commands.ts';
import { beginLiveness } from './exchanges/informational.ts';
import { moveTo } from './exchanges/mobike.ts';
import { initiate } from './exchanges/sa-init.ts';
import { resume } from './exchanges/session-resume.ts';
import { RateLimit } from './gate.ts';
import { Peers, sameTrust } from './peers.ts';
import { type Call, Reception } from './reception.ts';
import { Redirects } from './redirects.ts';
import { closed, type Established, type IkeState } from './states.ts';
import { statusOf } from './status.ts';
import { type Entry, SaTable } from './table.ts';
import { HeldTickets, Tickets } from './tickets.ts';
import type { Turn, World } from './turn.ts';
import { tend } from './upkeep.ts';

/*
 * Theory of operation: the endpoint routes. A datagram goes to the SA whose SPI it names, the clock to the SAs whose
 * time has come, a command to those of its peer. What happens then is the matter of that SA alone (`states.ts`): if
 * its step fails in a way that nobody foresaw, this SA ends and the fault is counted; the others do not notice.
 */

/** Reports about strangers. */
const strangersPerSecond = 10;
/** SAs that one wake-up looks after. `wakeAt` still says "now" if there are more, so that others are heard between. */
const mostDueInOneStep = 64;
/** Attempts of ours that are not through. */
const beginnings: readonly IkeState['name'][] = ['initSent', 'resumeSent', 'intermediateSent', 'authSent'];

export function createIkeEndpoint(options: EndpointOptions): IkeEndpoint {
  return new Endpoint(options);
}

type Initiate = Extract<IkeEvent, { kind: 'initiate' }>;

class Endpoint implements IkeEndpoint {
  readonly #peers = new Peers();
  readonly #table = new SaTable();
  readonly #redirects = new Redirects();
  readonly #tickets = new Tickets();
  readonly #held = new HeldTickets();
  readonly #reception: Reception;
  #gateway: string | null = null;
  readonly #reports = new RateLimit(strangersPerSecond);
  readonly #counters: Record<string, number> = {};
  readonly #distrusted = new Set<string>();
  readonly #world: World;
  #tunnels = 0;

  constructor(options: EndpointOptions) {
    const table = this.#table;
    this.#world = {
      options,
      newIkeSpi: (env) => table.newIkeSpi(env),
      newEspSpi: (env) => table.newEspSpi(env),
      freeEspSpi: (spi) => table.freeEspSpi(spi),
      newTunnel: () => {
        this.#tunnels += 1;
        return this.#tunnels;
      },
      peerFor: (remote, local) => this.#peers.find(remote, local),
      hasEstablished: (peer) => table.ofPeer(peer).some(({ state }) => state.name === 'established'),
      pretendsNat: () => this.#peers.forcedUdp > 0,
      usesPpk: () => this.#peers.withPpk > 0,
      trusts: () => this.#peers.trusts(),
      spawn: (state) => void table.add(state),
      tickets: this.#tickets,
      keepTicket: (held) => this.#held.keep(held),
      redirectsTo: () => this.#gateway,
      mayFollow: (peer, now) => this.#redirects.allows(peer, now),
      count: (reason) => this.#count(reason),
    };
    this.#reception = new Reception(this.#peers, table, {
      run: (entry, call, work) => this.#run(entry, call, work),
      guard: (call, work) => this.#guard(call, work),
      turn: (call) => this.#turn(call.env, call.effects),
    });
  }

  setPeer(peer: Peer): void {
    const old = this.#peers.set(peer);
    if (old === undefined) return;
    if (!sameTrust(old, peer)) {
      this.#distrusted.add(peer.name);
      return;
    }
    for (const entry of this.#table.ofPeer(peer.name)) {
      const { state } = entry;
      if (state.name === 'established')
        this.#table.put(entry, redirectNow({ ...state, peer }, peer.redirectTo ?? null));
      else if ('peer' in state) this.#table.put(entry, { ...state, peer });
    }
  }

  removePeer(name: string, env: Env): IkeEffect[] {
    this.#peers.remove(name);
    this.#redirects.forget(name);
    this.#held.forget(name);
    return this.#perform(env, (call) => this.#close(name, call));
  }

  step(event: IkeEvent, env: Env): IkeEffect[] {
    return this.#perform(env, (call) => this.#dispatch(event, call));
  }

  wakeAt(): number {
    if (this.#distrusted.size > 0) return 0;
    return Math.min(this.#table.wakeAt(), this.#tickets.wakeAt(), this.#held.wakeAt());
  }

  isBusy(): boolean {
    return this.#table.hasPeers;
  }

  status(now: number): readonly IkeSaStatus[] {
    return [...this.#table.all()].flatMap(({ state }) => statusOf(state, now) ?? []);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  #count(reason: string): undefined {
    this.#counters[reason] = (this.#counters[reason] ?? 0) + 1;
  }

  #perform(env: Env, work: (call: Call) => void): IkeEffect[] {
    const call: Call = { env, effects: [] };
    for (const tickets of [this.#tickets, this.#held]) tickets.tend(env.now);
    for (const name of this.#distrusted) {
      this.#held.forget(name);
      this.#close(name, call);
    }
    this.#distrusted.clear();
    work(call);
    return call.effects.filter((effect) => this.#isWorthReporting(effect, env));
  }

  /** Strangers can make us report as often as they like; past a limit they are only counted. */
  #isWorthReporting(effect: IkeEffect, env: Env): boolean {
    const ofStranger = effect.kind === 'report' && effect.report.kind === 'failed' && effect.report.peer === null;
    return !ofStranger || this.#reports.allows(env.now);
  }

  #dispatch(event: IkeEvent, call: Call): undefined {
    switch (event.kind) {
      case 'datagram':
        return this.#reception.receive(event, call);
      case 'wake':
        return this.#wake(call);
      case 'initiate':
        return this.#initiate(event, call);
      case 'rekey':
        return this.#commandAll(event.peer, call, (state) => rekeyNow(state, event.what, call.env.now));
      case 'redirect':
        return this.#redirect(event.gateway, call);
      case 'move':
        return this.#commandAll(event.peer, call, (state, turn) => moveTo(state, event.path, turn));
      case 'close':
        return this.#close(event.peer, call);
      case 'expiring':
        return this.#command(this.#table.ofTunnel(event.tunnel), call, (state) =>
          expireNow(state, event.spi, call.env.now),
        );
      case 'check':
        return this.#command(this.#table.ofTunnel(event.tunnel), call, (state, turn) =>
          state.task === null ? beginLiveness(state, turn) : state,
        );
      case 'alive':
        return this.#command(this.#table.ofTunnel(event.tunnel), call, (state) => ({
          ...state,
          heardAt: call.env.now,
        }));
    }
  }

  /** Runs one step of one SA, lets its effects out if it comes to an end, and puts its next state into the table. */
  #run(entry: Entry, call: Call, work: (state: IkeState, turn: Turn) => IkeState): undefined {
    const before = entry.state;
    const effects: IkeEffect[] = [];
    const turn: Turn = { ...this.#turn(call.env, effects) };
    try {
      this.#table.put(entry, work(before, turn));
    } catch (error) {
      if (error instanceof DecodeError) {
        this.#count('malformed');
        return;
      }
      this.#count('fault');
      effects.length = 0;
      this.#table.put(entry, endAfterFault(before, turn));
    }
    for (const effect of effects) this.#table.follow(effect, entry);
    call.effects.push(...effects);
    if (before.name !== 'established' && entry.state.name === 'established') this.#supplant(entry, call);
  }

  /** For work that has no SA yet: if it fails in a way that nobody foresaw, nothing has happened. */
  #guard(call: Call, work: (turn: Turn) => void): undefined {
    const effects: IkeEffect[] = [];
    try {
      work(this.#turn(call.env, effects));
      call.effects.push(...effects);
    } catch {
      this.#count('fault');
    }
  }

  #turn(env: Env, effects: IkeEffect[]): Turn {
    return {
      now: env.now,
      random: (length) => env.random(length),
      world: this.#world,
      emit: (effect) => effects.push(effect),
    };
  }

  #command(entry: Entry | undefined, call: Call, change: (state: Established, turn: Turn) => Established): undefined {
    if (entry === undefined) return;
    this.#run(entry, call, (state, turn) =>
      state.name === 'established' && owns(state) ? tend(change(state, turn), turn) : state,
    );
  }

  #commandAll(peer: string, call: Call, change: (state: Established, turn: Turn) => Established): undefined {
    for (const entry of this.#table.ofPeer(peer)) this.#command(entry, call, change);
  }

  #wake(call: Call): undefined {
    for (let i = 0; i < mostDueInOneStep; i += 1) {
      const entry = this.#table.takeDue(call.env.now);
      if (entry === undefined) return;
      if (entry.state.name !== 'closed') this.#run(entry, call, tend);
    }
  }

  #redirect(gateway: string | null, call: Call): undefined {
    this.#gateway = gateway;
    for (const entry of [...this.#table.all()]) this.#command(entry, call, (state) => redirectNow(state, gateway));
  }

  #initiate({ peer: name, path, redirectedFrom }: Initiate, call: Call): undefined {
    const peer = this.#peers.get(name);
    if (peer === undefined) return this.#count('initiateUnknownPeer');
    // A new attempt takes the place of one that is still under way.
    for (const entry of this.#table.ofPeer(name)) this.#abandonAttempt(entry, call);
    const held = redirectedFrom === undefined ? this.#held.take(name, call.env.now) : null;
    this.#guard(call, (turn) => {
      const begun =
        held && peer.resumes === true
          ? resume(held, { peer, path }, turn)
          : initiate(peer, path, redirectedFrom ?? null, turn);
      this.#table.add(begun);
    });
  }

  #abandonAttempt(entry: Entry, call: Call): undefined {
    this.#run(entry, call, (state, turn) => {
      if (!beginnings.includes(state.name)) return state;
      release(state, turn);
      return closed;
    });
  }

  #close(name: string, call: Call): undefined {
    for (const entry of this.#table.ofPeer(name)) {
      this.#abandonAttempt(entry, call);
      this.#run(entry, call, (state, turn) =>
        state.name === 'established' ? beginClosing(state, { failure: null, detail: '' }, turn) : state,
      );
    }
  }

  /** A new IKE SA with a peer takes the place of an older one. */
  #supplant(fresh: Entry, call: Call): undefined {
    const { state } = fresh;
    if (state.name !== 'established') return;
    for (const entry of this.#table.ofPeer(state.peer.name)) {
      if (entry === fresh || entry.state.name === 'closed') continue;
      if (entry.state.name === 'initSent') this.#abandonAttempt(entry, call);
      if (entry.state.name !== 'established' || !owns(entry.state)) continue;
      const loser = supplanted(state, entry.state) === 'fresh' ? fresh : entry;
      this.#run(loser, call, (old, turn) => (old.name === 'established' ? replace(old, state, turn) : old));
    }
  }
}
