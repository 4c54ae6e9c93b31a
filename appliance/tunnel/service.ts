/**
 * The tunnel's shell: the one place where the IKE core, the data plane, the host's network, the clock and chance meet.
 * It performs effects in the order given and keeps one timer; what to do is decided by the pure parts.
 */
import { randomFillSync } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { type Dataplane, type DataplaneEvent, openDataplane } from '../../native/index.ts';
import type { LoadedConfig } from '../config/files.ts';
import { applyNetwork, clearNetwork, networkPlan } from '../host/network.ts';
import { sourceAddressFor } from '../host/source-address.ts';
import type { Assignment, Failure, IkeEffect, IkeEndpoint, IkeEvent, IkeReport } from '../ike/api.ts';
import { createIkeEndpoint } from '../ike/endpoint.ts';
import type { Env } from '../lib/env.ts';
import { secretOctets } from '../lib/secret.ts';
import { AssignedAddresses } from './assigned.ts';
import { Calls } from './calls.ts';
import { Collecting } from './collect.ts';
import { crashSecret } from './crash-secret.ts';
import { describeTunnel } from './describe.ts';
import { changedPeers, ikePeers, movedPeers } from './peers.ts';
import { performOn } from './perform.ts';
import { RevocationLists } from './revocation.ts';
import { movesFrom, Streams } from './roaming.ts';
import { Standing } from './standing.ts';
import type { TunnelStatus } from './status.ts';
import { Turns } from './turns.ts';

/** How often the data plane is asked which tunnels have received something: liveness that costs no packet. */
const aliveIntervalMs = 2000;
/** How often a home looks for streams that broke off; a portal waits to be told. */
const streamsIntervalMs = 250;
const reopenMs = { first: 1000, longest: 30_000 } as const;
/** How long a graceful stop waits for the answers to its DELETEs. */
const farewellMs = 2000;

const endpointOptions = { cookieThreshold: 100, halfOpenLimit: 10_000 };

export class TunnelService {
  readonly #log: Logger;
  readonly #streams = new Streams();
  readonly #standing = new Standing();
  readonly #turns = new Turns((tunnel: number) => this.#step({ kind: 'alive', tunnel }));
  readonly #revocation: RevocationLists;
  readonly #collecting = new Collecting();
  readonly #assigned = new AssignedAddresses();
  #loaded: LoadedConfig;
  #endpoint: IkeEndpoint;
  #calls: Calls;
  #dataplane: Dataplane | null = null;
  #dataplaneProblem: string | null = null;
  #networkProblem: string | null = null;
  #reopenMs: number = reopenMs.first;
  #timer: NodeJS.Timeout | undefined;
  #aliveTimer: NodeJS.Timeout | undefined;
  #streamsTimer: NodeJS.Timeout | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(loaded: LoadedConfig, log: Logger) {
    this.#log = log;
    this.#loaded = loaded;
    this.#revocation = new RevocationLists(log);
    this.#endpoint = this.#makeEndpoint();
    this.#calls = new Calls(loaded.config);
  }

  start(): void {
    this.#open();
    this.#aliveTimer = setInterval(() => this.#reportAlive(), aliveIntervalMs);
    this.#streamsTimer = setInterval(() => this.#followStreams(), streamsIntervalMs);
  }

  /** Changes to another configuration. Peers that stay the same keep their SAs. */
  async reconfigure(loaded: LoadedConfig): Promise<void> {
    const [before, after] = [this.#loaded.config, loaded.config];
    this.#loaded = loaded;
    if (JSON.stringify([before.tunnel, before.role]) !== JSON.stringify([after.tunnel, after.role])) {
      await this.#close();
      this.#endpoint = this.#makeEndpoint();
      this.#calls = new Calls(after);
      this.#open();
      return;
    }
    const names = new Set(after.peers.map(({ name }) => name));
    for (const { name } of before.peers) {
      if (names.has(name)) continue;
      this.#perform(this.#endpoint.removePeer(name, this.#env()));
      this.#standing.forget(name);
    }
    this.#setPeers(this.#endpoint);
    // Whether a portal answers at its new addresses is to be known now, not after the next power cut.
    for (const name of movedPeers(before, after)) this.#step({ kind: 'close', peer: name });
    for (const name of changedPeers(before, after)) this.#calls.restart(name);
    this.#calls.configure(after);
    await this.#applyNetwork();
    this.#wake();
  }

  /** Tunnels that are up go along; calls that failed, or went out from an address that is gone, are made again. */
  async networkChanged(): Promise<void> {
    for (const { name } of this.#loaded.config.peers) {
      // A call under way went out from an address that may be gone.
      if (this.#calls.state(name)?.name === 'calling') this.#step({ kind: 'close', peer: name });
      this.#calls.restart(name);
    }
    this.#calls.configure(this.#loaded.config);
    this.#wake();
    const own = Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []);
    const here = { sourceFor: sourceAddressFor, addresses: new Set(own) };
    const sas = this.#endpoint.status(performance.now());
    for (const move of await movesFrom(this.#loaded.config, sas, here)) {
      this.#log.info({ peer: move.peer, from: move.path.local.address, to: move.path.remote.address }, 'moving');
      this.#step({ kind: 'move', ...move });
    }
  }

  rekey(what: 'child' | 'ike', peer: string | null): void {
    const names = this.#loaded.config.peers.map(({ name }) => name);
    for (const name of peer === null ? names : [peer]) this.#step({ kind: 'rekey', peer: name, what });
  }

  /** Whether it does its own work; a peer that is away is not its fault. */
  probe(): { ok: boolean; detail: string } {
    const detail = this.#dataplaneProblem ?? this.#networkProblem;
    if (detail !== null) return { ok: false, detail };
    // Whoever asks takes a late answer for a hang: nothing here may cost the more the more peers there are.
    return { ok: true, detail: `${this.#standing.count} of ${this.#loaded.config.peers.length} peers have a tunnel` };
  }

  status(): TunnelStatus {
    return describeTunnel({
      now: this.#env().now,
      config: this.#loaded.config,
      endpoint: this.#endpoint,
      dataplane: this.#dataplane,
      calls: this.#calls,
      standing: this.#standing,
      problems: [this.#dataplaneProblem, this.#networkProblem].filter((problem) => problem !== null),
    });
  }

  /** Says goodbye to every peer, waits a little for the answers, and gives everything back. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#aliveTimer);
    this.#revocation.stop();
    this.#collecting.stop();
    this.#turns.stop();
    clearInterval(this.#streamsTimer);
    await this.#close();
    await clearNetwork(this.#loaded.config.tunnel.interface).catch((error: Error) => {
      this.#log.warn({ problem: error.message }, 'networkNotCleared');
    });
  }

  #makeEndpoint(): IkeEndpoint {
    const natTraversalPort = this.#loaded.config.tunnel.ports.natTraversal;
    const endpoint = createIkeEndpoint({
      ...endpointOptions,
      natTraversalPort,
      timeOfDay: () => Date.now(),
      ...crashSecret(this.#loaded),
    });
    this.#setPeers(endpoint);
    return endpoint;
  }

  #setPeers(endpoint: IkeEndpoint): void {
    const peers = ikePeers(this.#loaded);
    for (const peer of peers) endpoint.setPeer(peer);
    this.#revocation.configure(this.#loaded, peers);
    const gateway = this.#loaded.config.redirectTo ?? null;
    this.#perform(endpoint.step({ kind: 'redirect', gateway }, this.#env()));
  }

  #open(): void {
    clearTimeout(this.#reopenTimer);
    const { interface: name, mtu, ports, replayWindow } = this.#loaded.config.tunnel;
    try {
      this.#dataplane = openDataplane({ tun: { name, mtu }, ports, replayWindow }, (event) => this.#receive(event));
    } catch (error) {
      this.#dataplaneProblem = (error as Error).message;
      this.#log.error({ problem: this.#dataplaneProblem, retrySeconds: this.#reopenMs / 1000 }, 'dataplaneNotOpened');
      this.#reopenTimer = setTimeout(() => this.#open(), this.#reopenMs);
      this.#reopenMs = Math.min(reopenMs.longest, this.#reopenMs * 2);
      return;
    }
    this.#dataplaneProblem = null;
    this.#reopenMs = reopenMs.first;
    this.#log.info({ interface: name, mtu, ports }, 'dataplaneOpened');
    void this.#applyNetwork();
    this.#wake(); // meanwhile: a call needs no route into the tunnel
  }

  async #close(): Promise<void> {
    clearTimeout(this.#reopenTimer);
    for (const { name } of this.#loaded.config.peers) this.#step({ kind: 'close', peer: name });
    const deadline = performance.now() + farewellMs;
    while (this.#endpoint.status(performance.now()).length > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    clearTimeout(this.#timer);
    const closing = this.#dataplane;
    this.#dataplane = null;
    await closing?.close();
  }

  async #applyNetwork(): Promise<void> {
    try {
      await applyNetwork(networkPlan(this.#assigned.within(this.#loaded.config)));
      this.#networkProblem = null;
    } catch (error) {
      this.#networkProblem = (error as Error).message;
      this.#log.error({ problem: this.#networkProblem }, 'networkNotApplied');
    }
  }

  async #takeAddresses(peer: string, assignment: Assignment): Promise<void> {
    try {
      await this.#assigned.take(peer, assignment, this.#loaded.config.tunnel.interface);
      await this.#applyNetwork();
    } catch (error) {
      this.#log.error({ peer, problem: (error as Error).message }, 'addressesNotTaken');
    }
  }

  #env(): Env {
    return { now: performance.now(), random: (length) => randomFillSync(secretOctets(length)) };
  }

  #receive(event: DataplaneEvent): void {
    switch (event.kind) {
      case 'datagram':
      case 'expiring':
        this.#step(event);
        return;
      case 'acquire':
        // Homes call without being asked and portals cannot call: nothing to do but to know that it happens.
        this.#log.debug(event, 'acquire');
    }
  }

  #reportAlive(): void {
    this.#turns.begin(this.#dataplane?.heard(aliveIntervalMs) ?? []);
  }

  /** Somebody's NAT may have forgotten us: an authentic message shows the peer where we are. */
  #followStreams(): void {
    if (this.#loaded.config.role === 'portal') return;
    for (const tunnel of this.#streams.brokenOff(this.#dataplane?.saStats() ?? []))
      this.#step({ kind: 'check', tunnel });
  }

  #step(event: IkeEvent): void {
    this.#perform(this.#endpoint.step(event, this.#env()));
    this.#arm();
  }

  #wake(): void {
    if (this.#dataplane === null) return;
    if (!this.#stopping) {
      this.#giveUpTheSilent();
      for (const call of this.#calls.due(this.#env())) void this.#call(call.peer, call.address);
    }
    this.#step({ kind: 'wake' });
  }

  /** An address that says nothing is not waited for where there is another; IKE goes on with it until that one is called. */
  #giveUpTheSilent(): void {
    const env = this.#env();
    const overdue = this.#calls.overdue(env.now);
    if (overdue.length === 0) return;
    const silent = new Set(
      this.#endpoint
        .status(env.now)
        .flatMap(({ peer, state }) => (state === 'initSent' || state === 'resumeSent' ? (peer ?? []) : [])),
    );
    for (const peer of overdue) {
      if (silent.has(peer))
        this.#lost(peer, 'noAnswer', 'nothing came back from this address, so the next one is called', null);
      else this.#calls.heard(peer, env);
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = Math.min(this.#endpoint.wakeAt(), this.#stopping ? Number.POSITIVE_INFINITY : this.#calls.wakeAt());
    if (at === Number.POSITIVE_INFINITY) return;
    // setTimeout may fire a fraction of a millisecond early; rounding up saves a wasted turn.
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, Math.ceil(at - performance.now())));
  }

  /** RFC 5685: the gateway names another one, by address or by name. */
  async #redirected(peer: string, gateway: string, from: string): Promise<void> {
    try {
      const { address } = await lookup(gateway);
      this.#calls.redirected(peer, address, this.#env());
      await this.#call(peer, address, from);
    } catch (error) {
      const detail = `it sent us to ${gateway}, a name without address: ${(error as NodeJS.ErrnoException).code}`;
      this.#lost(peer, 'noAnswer', detail, from);
    }
  }

  async #call(peer: string, address: string, redirectedFrom: string | null = null): Promise<void> {
    const { ike } = this.#loaded.config.tunnel.ports;
    try {
      const local = { address: await sourceAddressFor(address), port: ike };
      this.#log.info({ peer, address }, 'calling');
      const path = { local, remote: { address, port: ike } };
      this.#step({ kind: 'initiate', peer, path, ...(redirectedFrom === null ? {} : { redirectedFrom }) });
    } catch (error) {
      const detail = `no route from here: ${(error as NodeJS.ErrnoException).code}`;
      this.#lost(peer, 'noAnswer', detail, address);
    }
  }

  #perform(effects: readonly IkeEffect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: IkeEffect): void {
    if (effect.kind === 'report') {
      this.#report(effect.report);
      return;
    }
    // Effects of the last farewell may come after the data plane is gone.
    if (this.#dataplane === null) return;
    performOn(this.#dataplane, effect);
  }

  #report(report: IkeReport): void {
    const { kind, ...fields } = report;
    const failed = kind === 'failed' || (kind === 'ikeClosed' && report.failure !== null);
    this.#log[failed ? 'warn' : 'info'](fields, kind);
    // A new SA has taken the place of an old one, or an SA has ended.
    if (kind !== 'failed') this.#collecting.soon();
    switch (report.kind) {
      case 'childEstablished':
        this.#standing.up(report.peer, performance.now());
        this.#calls.established(report.peer, this.#env());
        return;
      case 'ikeClosed':
        // A DELETE that we asked for ourselves: the peer is called again like after any other end.
        this.#lost(report.peer, report.failure ?? 'peerClosed', report.detail, null);
        return;
      case 'assigned':
        void this.#takeAddresses(report.peer, report.assignment);
        return;
      case 'redirected':
        this.#calls.redirected(report.peer, report.gateway, this.#env());
        void this.#redirected(report.peer, report.gateway, report.from);
        return;
      case 'failed':
        if (report.peer !== null) this.#lost(report.peer, report.failure, report.detail, report.path.remote.address);
        return;
    }
  }

  #lost(peer: string, failure: Failure, detail: string, address: string | null): void {
    const config = this.#loaded.config.peers.find(({ name }) => name === peer);
    if (!config) return;
    // `replaced` is the end of an old SA whose successor is already there.
    if (failure === 'replaced') return;
    this.#standing.down(peer);
    void this.#assigned.giveBack(peer, this.#loaded.config.tunnel.interface);
    // The call of the other gateway is under way.
    if (failure === 'redirected' && config.addresses.length > 0) return;
    this.#standing.failed(failure, {
      peer,
      address: address ?? this.#calls.address(peer) ?? 'an unknown address',
      localId: config.localId ?? this.#loaded.config.identity.id,
      remoteId: config.id,
      detail,
    });
    this.#calls.lost(peer, failure, detail, this.#env());
    this.#arm();
  }
}
