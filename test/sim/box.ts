import type { EndpointOptions, IkeEffect, IkeEndpoint, IkeEvent, IkeReport, Peer } from '../../appliance/ike/api.ts';
import { createIkeEndpoint } from '../../appliance/ike/endpoint.ts';
import type { Path } from '../../appliance/lib/net.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { Dataplane } from './dataplane.ts';
import type { Datagram, Internet } from './internet.ts';

export interface BoxParts {
  readonly name: string;
  readonly address: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly internet: Internet;
  readonly options: EndpointOptions;
  readonly peers: readonly Peer[];
  /** Where to call whom, and again when the SA is lost; null: wait to be called. */
  readonly calls: { readonly peer: string; readonly path: Path } | null;
  readonly onReport: (report: IkeReport) => void;
  readonly fail: (problem: string) => void;
}

const aliveEveryMilliseconds = 1_000;

/** One end: a real IKE endpoint, a model data plane, and the little that the tunnel service does around them. */
export class Box {
  readonly #parts: BoxParts;
  readonly #everUsed = new Set<number>();
  readonly #aliveAt = new Map<number, number>();
  endpoint: IkeEndpoint;
  dataplane: Dataplane;
  #armedFor = Number.POSITIVE_INFINITY;
  #generation = 0;
  #nextNumber = 0;
  #address: string;
  #path: Path | null = null;
  readonly attempted: number[] = [];
  readonly received: number[] = [];
  /** Off while a scenario closes the tunnel for good. */
  recalls = true;

  constructor(parts: BoxParts) {
    this.#parts = parts;
    this.#address = parts.address;
    this.endpoint = this.#boot();
    this.dataplane = new Dataplane(this.#everUsed, parts.fail);
    parts.internet.attach(parts.address, (datagram, path) => this.#receive(datagram, path));
  }

  #boot(): IkeEndpoint {
    const endpoint = createIkeEndpoint(this.#parts.options);
    for (const peer of this.#parts.peers) endpoint.setPeer(peer);
    return endpoint;
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Power cut and back: no goodbye, nothing remembered. */
  restart(): void {
    this.#generation += 1;
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.endpoint = this.#boot();
    this.dataplane = new Dataplane(this.#everUsed, this.#parts.fail);
    if (this.#parts.calls) this.call();
  }

  setLifetimes(lifetimes: Peer['lifetimes']): void {
    for (const peer of this.#parts.peers) this.endpoint.setPeer({ ...peer, lifetimes });
  }

  /** The box is at another address from now on; whether IKE is told is up to the scenario. */
  readdress(address: string, path: Path): void {
    this.#parts.internet.detach(this.#address);
    this.#address = address;
    this.#path = path;
    this.#parts.internet.attach(address, (datagram, from) => this.#receive(datagram, from));
    const { calls } = this.#parts;
    if (calls) this.step({ kind: 'move', peer: calls.peer, path });
  }

  call(): void {
    const { calls } = this.#parts;
    if (calls) this.step({ kind: 'initiate', peer: calls.peer, path: this.#path ?? calls.path });
  }

  step(event: IkeEvent): undefined {
    const { clock, chance } = this.#parts;
    const env = { now: clock.now, random: (length: number) => chance.bytes(length) };
    for (const effect of this.endpoint.step(event, env)) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: IkeEffect): void {
    if (effect.kind === 'send') this.#send({ kind: 'ike', bytes: effect.bytes }, effect.path);
    else if (effect.kind === 'report') this.#onReport(effect.report);
    else this.dataplane.perform(effect);
  }

  /** The kernel sends nothing from an address that the box has not. */
  #send(datagram: Datagram, path: Path): void {
    if (path.local.address === this.#address) this.#parts.internet.send(datagram, path);
  }

  #onReport(report: IkeReport): void {
    const { clock, chance, calls, onReport } = this.#parts;
    onReport(report);
    const lost = report.kind === 'failed' || report.kind === 'ikeClosed';
    if (!lost || calls === null || report.peer !== calls.peer || !this.recalls) return;
    if (report.kind === 'ikeClosed' && (report.failure === 'replaced' || report.failure === null)) return;
    const generation = this.#generation;
    clock.at(clock.now + chance.between(500, 2_000), () => {
      const up = this.endpoint.status(clock.now).some(({ state }) => state !== 'closing' && state !== 'superseded');
      if (generation === this.#generation && this.recalls && !up) this.call();
    });
  }

  #arm(): void {
    const { clock } = this.#parts;
    const at = this.endpoint.wakeAt();
    if (at === Number.POSITIVE_INFINITY || at >= this.#armedFor) return;
    this.#armedFor = at;
    const generation = this.#generation;
    clock.at(at, () => {
      if (generation !== this.#generation || this.#armedFor !== at) return;
      this.#armedFor = Number.POSITIVE_INFINITY;
      this.step({ kind: 'wake' });
    });
  }

  #receive(datagram: Datagram, path: Path): undefined {
    if (datagram.kind === 'ike') return this.step({ kind: 'datagram', bytes: datagram.bytes, path });
    const tunnel = this.dataplane.open(datagram, path);
    if (tunnel === null) return undefined;
    this.received.push(datagram.number);
    const { now } = this.#parts.clock;
    if (now < (this.#aliveAt.get(tunnel) ?? 0)) return undefined;
    this.#aliveAt.set(tunnel, now + aliveEveryMilliseconds);
    return this.step({ kind: 'alive', tunnel });
  }

  /** Sends the next numbered packet of the LAN into the tunnel. */
  sendPacket(): void {
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    this.attempted.push(number);
    const sealed = this.dataplane.seal(number);
    if (sealed) this.#send({ kind: 'esp', ...sealed.packet }, sealed.path);
  }
}
