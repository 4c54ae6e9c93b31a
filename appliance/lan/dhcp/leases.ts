import { ipv4FromNumber, ipv4ToNumber } from './ipv4.ts';
import { addressAt, type Network, rangeSize } from './network.ts';

/**
 * - `probing`: chosen for a client, ARP not yet done.
 * - `offered`: an OFFER is out.
 * - `bound`: acknowledged; on disk before the ACK left.
 * - `released`: given back, or its client moved; remembered so that the client gets it again.
 * - `declined`: somebody else uses it; given to nobody until `expiresAt`.
 */
export type LeaseState = 'probing' | 'offered' | 'bound' | 'released' | 'declined';

export interface Lease {
  readonly zone: string;
  readonly address: string;
  /** Hexadecimal client identifier (option 61), or hardware type and address where a client sends none. */
  readonly client: string;
  readonly mac: string;
  readonly hostname: string;
  readonly state: LeaseState;
  /** Lease clock, milliseconds (see journal.ts): until then the state holds. */
  readonly expiresAt: number;
}

export function isActive(lease: Lease, now: number): boolean {
  return lease.expiresAt > now;
}

/** What an answer may ask of the table; it changes nothing. */
export interface Leases {
  at(zone: string, address: string): Lease | undefined;
  ofClient(zone: string, client: string): readonly Lease[];
  /** Whose name it is, in whichever zone: the zones may share a domain. */
  ofHostname(hostname: string): Lease | undefined;
  /** An address of the ranges that nobody holds and nobody has reserved; undefined when there is none. */
  findFree(network: Network, client: string, now: number): string | undefined;
}

interface ZoneLeases {
  readonly byAddress: Map<number, Lease>;
  readonly byClient: Map<string, Lease[]>;
  /** No address comes free before then, so a full pool is not searched again for every DISCOVER. */
  fullUntil: number;
}

/** All leases, bounded by the ranges and reservations of the configuration. `put` is the only way to change it. */
export class LeaseTable implements Leases {
  readonly #zones = new Map<string, ZoneLeases>();
  readonly #byHostname = new Map<string, Lease>();

  at(zone: string, address: string): Lease | undefined {
    return this.#zones.get(zone)?.byAddress.get(ipv4ToNumber(address));
  }

  ofClient(zone: string, client: string): readonly Lease[] {
    return this.#zones.get(zone)?.byClient.get(client) ?? [];
  }

  ofHostname(hostname: string): Lease | undefined {
    return this.#byHostname.get(hostname);
  }

  *[Symbol.iterator](): Generator<Lease> {
    for (const { byAddress } of this.#zones.values()) yield* byAddress.values();
  }

  ofZone(zone: string): Iterable<Lease> {
    return this.#zones.get(zone)?.byAddress.values() ?? [];
  }

  put(lease: Lease): void {
    const zone = this.#zone(lease.zone);
    const number = ipv4ToNumber(lease.address);
    const before = zone.byAddress.get(number);
    if (before) this.#forget(zone, before);
    zone.byAddress.set(number, lease);
    const own = zone.byClient.get(lease.client);
    if (own) own.push(lease);
    else zone.byClient.set(lease.client, [lease]);
    if (lease.hostname !== '' && lease.state === 'bound') this.#byHostname.set(lease.hostname, lease);
    zone.fullUntil = Math.min(zone.fullUntil, lease.expiresAt);
  }

  /** Forgets what a new configuration has no place for. */
  remove(lease: Lease): void {
    const zone = this.#zone(lease.zone);
    if (this.at(lease.zone, lease.address) !== lease) return;
    this.#forget(zone, lease);
    zone.byAddress.delete(ipv4ToNumber(lease.address));
    zone.fullUntil = 0;
  }

  /** Ranges or reservations changed: what was full may not be. */
  recheck(): void {
    for (const zone of this.#zones.values()) zone.fullUntil = 0;
  }

  findFree(network: Network, client: string, now: number): string | undefined {
    const zone = this.#zone(network.zone);
    if (now < zone.fullUntil) return undefined;
    const found = search(network, zone.byAddress, client, now);
    if (found.address !== undefined) return ipv4FromNumber(found.address);
    zone.fullUntil = found.freeAt;
    return undefined;
  }

  #forget(zone: ZoneLeases, lease: Lease): void {
    const left = (zone.byClient.get(lease.client) ?? []).filter((own) => own !== lease);
    if (left.length > 0) zone.byClient.set(lease.client, left);
    else zone.byClient.delete(lease.client);
    if (this.#byHostname.get(lease.hostname) === lease) this.#byHostname.delete(lease.hostname);
  }

  #zone(name: string): ZoneLeases {
    let zone = this.#zones.get(name);
    if (!zone) {
      zone = { byAddress: new Map(), byClient: new Map(), fullUntil: 0 };
      this.#zones.set(name, zone);
    }
    return zone;
  }
}

/** FNV-1a: spreads clients over the ranges, and gives the same one the same address after the lease file was lost. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

/** Never used first, then the one that was given up longest ago: RFC 2131 4.3.1 wants clients to find theirs again. */
function search(
  network: Network,
  leases: ReadonlyMap<number, Lease>,
  client: string,
  now: number,
): { address: number | undefined; freeAt: number } {
  const size = rangeSize(network);
  const start = size > 0 ? hash(client) % size : 0;
  let oldest: { address: number; expiresAt: number } | undefined;
  let freeAt = Number.POSITIVE_INFINITY;
  for (let i = 0; i < size; i += 1) {
    const address = addressAt(network, (start + i) % size);
    if (network.excluded.has(address) || network.reservedAddresses.has(address)) continue;
    const lease = leases.get(address);
    if (!lease) return { address, freeAt: now };
    freeAt = Math.min(freeAt, lease.expiresAt);
    if (lease.expiresAt <= now && lease.expiresAt < (oldest?.expiresAt ?? Number.POSITIVE_INFINITY)) {
      oldest = { address, expiresAt: lease.expiresAt };
    }
  }
  return { address: oldest?.address, freeAt };
}
