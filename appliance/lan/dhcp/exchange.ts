import { DecodeError } from '../../lib/bytes.ts';
import { type ArpReply, decodeArpReply } from './arp.ts';
import { isDurable } from './journal.ts';
import { isActive, type Lease, type LeaseTable } from './leases.ts';
import { RateLimit } from './limits.ts';
import { type Destination, decodeRequest, destinationOf, encodeReply, type Reply, type Request } from './message.ts';
import { type Network, networkFor } from './network.ts';
import { messageType } from './numbers.ts';
import { endProbe, type Probe, type Probes, probesWakeAt, startProbe, stepProbes, withoutProbe } from './probes.ts';
import { Seldom } from './seldom.ts';
import { answer, type Outcome, quarantine, type Silence } from './server.ts';

/** What the exchange has done to it outside. `service.ts` does it for real, tests with a disk and a wire of their own. */
export interface Effects {
  /** Resolves when the leases are on disk; rejects when they are not. */
  commit(leases: readonly Lease[]): Promise<void>;
  send(network: Network, octets: Uint8Array, to: Destination): void;
  /** Asks the link who has the address. */
  ask(interfaceName: string, address: string): void;
  /** An event for the log. */
  note(event: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface Rules {
  readonly networks: readonly Network[];
  /** 0 = addresses are not probed. */
  readonly probeMs: number;
  readonly quarantineMs: number;
}

const perClient = { perSecond: 10, burst: 20 };
const overall = { perSecond: 3000, burst: 1500 };
/** A wire on which five addresses in a row are taken is somebody's game, or a second DHCP server's range. */
const maximumConflicts = 4;

type Count =
  | Silence
  | 'received'
  | 'malformedOctets'
  | 'limited'
  | 'noNetwork'
  | 'tooManyProbes'
  | 'conflict'
  | 'storageFailed'
  | 'optionDropped'
  | 'offer'
  | 'ack'
  | 'nak';

const replyCount: Readonly<Record<number, Count>> = {
  [messageType.offer]: 'offer',
  [messageType.ack]: 'ack',
  [messageType.nak]: 'nak',
};

/**
 * Ties decisions, probes and the disk together in the order that matters: table, disk, wire. Time is an argument
 * (lease clock, milliseconds).
 */
export class Exchange {
  readonly counters: Partial<Record<Count, number>> = {};
  readonly #leases: LeaseTable;
  readonly #effects: Effects;
  readonly #limit = new RateLimit(perClient, overall);
  readonly #seldom = new Seldom();
  #rules: Rules = { networks: [], probeMs: 0, quarantineMs: 0 };
  #probes: Probes = new Map();

  constructor(leases: LeaseTable, effects: Effects) {
    this.#leases = leases;
    this.#effects = effects;
  }

  configure(rules: Rules): void {
    this.#rules = rules;
    this.#probes = new Map();
    this.#leases.recheck();
  }

  /** A datagram that arrived on the interface. */
  receive(interfaceName: string, octets: Uint8Array, now: number): void {
    this.#count('received');
    const request = this.#decode(octets);
    const network = request && networkFor(request, interfaceName, this.#rules.networks);
    if (!network) this.#count(request ? 'noNetwork' : 'malformedOctets');
    else if (!this.#limit.allows(request.mac, now)) this.#count('limited');
    else this.#perform(this.#answer(request, network, now), { request, network, now, conflicts: 0 });
  }

  /** An ARP frame that arrived on the interface. */
  heard(interfaceName: string, frame: Uint8Array, now: number): void {
    const reply = this.#decodeArp(frame);
    if (!reply) return;
    const probe = endProbe(this.#probes, { interfaceName, address: reply.address });
    if (!probe) return;
    // The client itself still uses the address: as good as silence.
    if (reply.mac === probe.request.mac) this.#cleared(probe, now);
    else this.#conflict(probe, reply.mac, now);
  }

  tick(now: number): void {
    const { probes, ask, clear } = stepProbes(this.#probes, now);
    this.#probes = probes;
    for (const probe of ask) this.#effects.ask(probe.interfaceName, probe.address);
    for (const probe of clear) this.#cleared(probe, now);
  }

  wakeAt(): number {
    return probesWakeAt(this.#probes);
  }

  #decode(octets: Uint8Array): Request | undefined {
    try {
      return decodeRequest(octets);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return undefined;
    }
  }

  #decodeArp(frame: Uint8Array): ArpReply | undefined {
    try {
      return decodeArpReply(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#count('malformedOctets');
      return undefined;
    }
  }

  #answer(request: Request, network: Network, now: number, cleared?: string): Outcome {
    const { probeMs, quarantineMs } = this.#rules;
    const situation = { network, leases: this.#leases, now, probes: probeMs > 0, quarantineMs };
    return answer(request, cleared === undefined ? situation : { ...situation, cleared });
  }

  #perform(outcome: Outcome, occasion: Occasion): void {
    for (const lease of outcome.changes) this.#leases.put(lease);
    const durable = outcome.changes.filter(isDurable);
    if (outcome.kind === 'probe') this.#probe(outcome.address, occasion);
    else if (outcome.kind === 'silent') this.#silence(outcome.reason, occasion);
    else if (durable.length === 0) this.#reply(outcome.reply, occasion);
    if (durable.length === 0) return;
    this.#commit(durable, occasion.now, () => {
      if (outcome.kind === 'reply') this.#reply(outcome.reply, occasion);
    });
  }

  #commit(leases: readonly Lease[], now: number, then: () => void): void {
    this.#effects.commit(leases).then(then, (error: unknown) => {
      this.#count('storageFailed');
      this.#noteSeldom('storageFailed', now, { error: String(error) });
    });
  }

  #reply(reply: Reply, { request, network }: Occasion): void {
    const { octets, dropped } = encodeReply(reply, Math.min(request.maximumMessageSize, network.mtu, 1500));
    for (const _ of dropped) this.#count('optionDropped');
    this.#count(replyCount[reply.type] ?? 'ack');
    this.#effects.send(network, octets, destinationOf(request, reply, network.onLink));
  }

  #silence(reason: Silence, { network, now, request }: Occasion): void {
    this.#count(reason);
    if (reason === 'poolExhausted') this.#noteSeldom(`${reason} ${network.zone}`, now, { zone: network.zone });
    if (reason === 'declined') {
      const fields = { zone: network.zone, address: request.requestedAddress, mac: request.mac };
      this.#noteSeldom(`${reason} ${network.zone}`, now, fields);
    }
  }

  #probe(address: string, { request, network, now, conflicts }: Occasion): void {
    const { zone, interfaceName } = network;
    const step = startProbe(
      this.#probes,
      { zone, interfaceName, address, request, conflicts },
      now,
      this.#rules.probeMs,
    );
    if (!step) {
      this.#count('tooManyProbes');
      return;
    }
    this.#probes = step.probes;
    for (const probe of step.ask) this.#effects.ask(probe.interfaceName, probe.address);
  }

  #cleared(probe: Probe, now: number): void {
    this.#probes = withoutProbe(this.#probes, probe);
    const network = this.#networkOf(probe);
    if (!network) return;
    const { request, conflicts } = probe;
    this.#perform(this.#answer(request, network, now, probe.address), { request, network, now, conflicts });
  }

  #conflict(probe: Probe, mac: string, now: number): void {
    this.#probes = withoutProbe(this.#probes, probe);
    this.#count('conflict');
    this.#noteSeldom(`conflict ${probe.address}`, now, { zone: probe.zone, address: probe.address, mac });
    const network = this.#networkOf(probe);
    const lease = this.#leases.at(probe.zone, probe.address);
    // Bound meanwhile: the client did not wait, and will find out by its own probe (RFC 5227) and DECLINE.
    if (!network || (lease?.state !== 'probing' && lease?.state !== 'offered')) return;
    const taken = quarantine(lease, now + this.#rules.quarantineMs);
    this.#leases.put(taken);
    this.#commit([taken], now, () => undefined);
    if (probe.conflicts >= maximumConflicts) return;
    const { request } = probe;
    this.#perform(this.#answer(request, network, now), { request, network, now, conflicts: probe.conflicts + 1 });
  }

  #networkOf(probe: Probe): Network | undefined {
    return this.#rules.networks.find(({ zone }) => zone === probe.zone);
  }

  #count(name: Count): void {
    this.counters[name] = (this.counters[name] ?? 0) + 1;
  }

  #noteSeldom(key: string, now: number, fields: Readonly<Record<string, unknown>>): void {
    if (this.#seldom.allows(key, now)) this.#effects.note(key.split(' ')[0] ?? key, fields);
  }
}

/** What a message is answered in. */
interface Occasion {
  readonly request: Request;
  readonly network: Network;
  readonly now: number;
  readonly conflicts: number;
}

export interface PoolStatus {
  readonly zone: string;
  readonly bound: number;
  readonly offered: number;
  readonly declined: number;
}

export function poolStatus(leases: LeaseTable, zone: string, now: number): PoolStatus {
  const count = { bound: 0, offered: 0, declined: 0 };
  for (const lease of leases.ofZone(zone)) {
    if (!isActive(lease, now)) continue;
    if (lease.state === 'bound' || lease.state === 'declined') count[lease.state] += 1;
    else count.offered += 1;
  }
  return { zone, ...count };
}
