/**
 * The tunnel's shell: the one place where the IKE core, the data plane, the host's network, the clock and chance meet.
 * It performs effects in the order given and keeps one timer; what to do is decided by the pure parts.
 */
import { randomFillSync } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { DataplaneEvent } from '../../native/index.ts';
import type { LoadedConfig } from '../config/files.ts';
import type { Config } from '../config/schema.ts';
import { sourceAddressFor } from '../host/source-address.ts';
import type { Failure, IkeEffect, IkeEndpoint, IkeEvent, IkeReport } from '../ike/api.ts';
import { createIkeEndpoint } from '../ike/endpoint.ts';
import type { Env } from '../lib/env.ts';
import type { FromService } from '../lib/messages.ts';
import { secretOctets } from '../lib/secret.ts';
import { Caller } from './caller.ts';
import { Collecting } from './collect.ts';
import { crashSecret } from './crash-secret.ts';
import { describeTunnel } from './describe.ts';
import { Hearing } from './hearing.ts';
import { InnerNetwork } from './inner-network.ts';
import { changedPeers, ikePeers, movedPeers } from './peers.ts';
import { performOn } from './perform.ts';
import { Plane } from './plane.ts';
import { RevocationLists } from './revocation.ts';
import { RevocationStore } from './revocation-store.ts';
import { movesFrom } from './roaming.ts';
import { Standing } from './standing.ts';
import type { TunnelStatus } from './status.ts';

/** How long a graceful stop waits for the answers to its DELETEs. */
const farewellMs = 2000;

const endpointOptions = { cookieThreshold: 100, halfOpenLimit: 10_000 };

export interface TunnelOptions {
  readonly log: Logger;
  /** Of its own, for what outlives it. */
  readonly stateDirectory: string;
  /** To the supervisor. */
  readonly tell: (message: FromService) => void;
}

export class TunnelService {
  readonly #log: Logger;
  readonly #standing = new Standing();
  readonly #revocation: RevocationLists;
  readonly #collecting = new Collecting();
  readonly #network: InnerNetwork;
  readonly #plane: Plane;
  readonly #caller: Caller;
  readonly #hearing: Hearing;
  #loaded: LoadedConfig;
  #endpoint: IkeEndpoint;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(loaded: LoadedConfig, { log, tell, stateDirectory }: TunnelOptions) {
    this.#log = log;
    this.#loaded = loaded;
    this.#revocation = new RevocationLists(log, new RevocationStore(`${stateDirectory}/revocation`));
    this.#network = new InnerNetwork(loaded.config, log, tell);
    this.#plane = new Plane(log, { event: (event) => this.#receive(event), opened: () => this.#opened() });
    this.#caller = new Caller(loaded.config, log, {
      env: () => this.#env(),
      step: (event) => this.#step(event),
      sas: () => this.#endpoint.status(performance.now()),
      lost: (...what) => this.#lost(...what),
    });
    this.#hearing = new Hearing({
      dataplane: () => this.#plane.dataplane,
      isHome: () => this.#loaded.config.role === 'home',
      step: (event) => this.#step(event),
    });
    this.#endpoint = this.#makeEndpoint();
  }

  start(): void {
    this.#plane.open(this.#loaded.config.tunnel);
    // Nothing, and so what a process before us has said is void.
    this.#network.tellResolvers();
    this.#hearing.start();
  }

  /** Changes to another configuration. Peers that stay the same keep their SAs. */
  async reconfigure(loaded: LoadedConfig): Promise<void> {
    const [before, after] = [this.#loaded.config, loaded.config];
    if (JSON.stringify([before.tunnel, before.role]) !== JSON.stringify([after.tunnel, after.role])) {
      await this.#close();
      this.#loaded = loaded;
      this.#network.configure(after);
      this.#endpoint = this.#makeEndpoint();
      this.#caller.startAnew(after);
      this.#plane.open(after.tunnel);
      return;
    }
    this.#loaded = loaded;
    this.#network.configure(after);
    this.#forgetPeers(before, after);
    this.#setPeers(this.#endpoint);
    // Whether a portal answers at its new addresses is to be known now, not after the next power cut.
    for (const name of movedPeers(before, after)) this.#step({ kind: 'close', peer: name });
    for (const name of changedPeers(before, after)) this.#caller.restart(name);
    this.#caller.configure(after);
    await this.#network.apply();
    this.#wake();
  }

  /** Tunnels that are up go along; calls that failed, or went out from an address that is gone, are made again. */
  async networkChanged(): Promise<void> {
    this.#caller.callAgain();
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
    const detail = this.#problems()[0];
    if (detail !== undefined) return { ok: false, detail };
    // Whoever asks takes a late answer for a hang: nothing here may cost the more the more peers there are.
    return { ok: true, detail: `${this.#standing.count} of ${this.#loaded.config.peers.length} peers have a tunnel` };
  }

  status(): TunnelStatus {
    return describeTunnel({
      now: this.#env().now,
      config: this.#loaded.config,
      endpoint: this.#endpoint,
      dataplane: this.#plane.dataplane,
      calls: this.#caller,
      standing: this.#standing,
      problems: this.#problems(),
    });
  }

  /** Says goodbye to every peer, waits a little for the answers, and gives everything back. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#hearing.stop();
    this.#revocation.stop();
    this.#collecting.stop();
    await this.#close();
    await this.#network.clear();
  }

  #problems(): string[] {
    return [this.#plane.problem, this.#network.problem].filter((problem) => problem !== null);
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
    void this.#revocation.configure(this.#loaded, peers);
    const gateway = this.#loaded.config.redirectTo ?? null;
    this.#perform(endpoint.step({ kind: 'redirect', gateway }, this.#env()));
  }

  #forgetPeers(before: Config, after: Config): void {
    const names = new Set(after.peers.map(({ name }) => name));
    for (const { name } of before.peers) {
      if (names.has(name)) continue;
      this.#perform(this.#endpoint.removePeer(name, this.#env()));
      this.#standing.forget(name);
      this.#network.giveBack(name);
    }
  }

  #opened(): void {
    void this.#network.apply();
    this.#wake(); // meanwhile: a call needs no route into the tunnel
  }

  async #close(): Promise<void> {
    this.#plane.giveUp();
    for (const { name } of this.#loaded.config.peers) this.#step({ kind: 'close', peer: name });
    const deadline = performance.now() + farewellMs;
    while (this.#endpoint.isBusy() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    clearTimeout(this.#timer);
    await this.#plane.close();
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

  #step(event: IkeEvent): void {
    this.#perform(this.#endpoint.step(event, this.#env()));
    this.#arm();
  }

  #wake(): void {
    if (this.#plane.dataplane === null) return;
    if (!this.#stopping) this.#caller.wake();
    this.#step({ kind: 'wake' });
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = Math.min(this.#endpoint.wakeAt(), this.#stopping ? Number.POSITIVE_INFINITY : this.#caller.wakeAt());
    if (at === Number.POSITIVE_INFINITY) return;
    // setTimeout may fire a fraction of a millisecond early; rounding up saves a wasted turn.
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, Math.ceil(at - performance.now())));
  }

  #perform(effects: readonly IkeEffect[]): void {
    for (const effect of effects) {
      const { dataplane } = this.#plane;
      if (effect.kind === 'report') this.#report(effect.report);
      // Effects of the last farewell may come after the data plane is gone.
      else if (dataplane !== null) performOn(dataplane, effect);
    }
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
        this.#caller.established(report.peer);
        return;
      case 'ikeClosed':
        // A DELETE that we asked for ourselves: the peer is called again like after any other end.
        this.#lost(report.peer, report.failure ?? 'peerClosed', report.detail, null);
        return;
      case 'assigned':
        void this.#network.take(report.peer, report.assignment);
        return;
      case 'redirected':
        void this.#caller.redirected(report.peer, report.gateway, report.from);
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
    this.#network.giveBack(peer);
    // The call of the other gateway is under way.
    if (failure === 'redirected' && config.addresses.length > 0) return;
    this.#standing.failed(failure, {
      peer,
      address: address ?? this.#caller.address(peer) ?? 'an unknown address',
      localId: config.localId ?? this.#loaded.config.identity.id,
      remoteId: config.id,
      detail,
    });
    this.#caller.lost(peer, failure, detail);
    this.#arm();
  }
}
