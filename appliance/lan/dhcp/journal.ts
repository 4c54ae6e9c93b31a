import { crc32 } from 'node:zlib';
import type { Lease, LeaseState } from './leases.ts';

// Theory of operation. One line a record: CRC-32 of the rest in eight hexadecimal digits, a space, JSON. A record
// holds a lease as it became and the lease clock at that moment; the last record of an address counts.
//
// The lease clock counts the milliseconds that the service has run since the journal was begun; it stands still
// between two runs and starts again at the last value on disk. The box may boot in 1970 or five years ahead
// (no battery, no network), so the time of day can decide nothing here; and a clock that can only lose time keeps
// a lease too long, never too short: the address is not given to another while its client believes to have it.

export interface Replayed {
  /** The last record of every address. */
  readonly leases: readonly Lease[];
  readonly clock: number;
  readonly records: number;
  /** Lines that failed their checksum before the end: not a power cut but a bad disk. */
  readonly damaged: number;
  /** Octets behind the last whole record: a write that a power cut interrupted. */
  readonly torn: number;
}

const formatName = 'moat dhcp leases 1';

/** What a snapshot begins with, so that the clock is known without any lease. */
export function encodeHeader(clock: number): string {
  return line({ format: formatName, clock });
}

export function encodeRecord(lease: Lease, clock: number): string {
  return line({ clock, lease });
}

function line(record: object): string {
  const json = JSON.stringify(record);
  return `${checksumOf(json)} ${json}\n`;
}

function checksumOf(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

/** Which states are promises that outlive a restart. */
export function isDurable(lease: Lease): boolean {
  return lease.state === 'bound' || lease.state === 'released' || lease.state === 'declined';
}

/** Reads what is left of a journal; never throws. Empty or absent: no leases, clock 0. */
export function replay(octets: Uint8Array): Replayed {
  const leases = new Map<string, Lease>();
  let [clock, records, damaged, good, start] = [0, 0, 0, 0, 0];
  const bad: number[] = [];
  while (start < octets.length) {
    const newline = octets.indexOf(10, start);
    const end = newline === -1 ? octets.length : newline;
    const record = newline === -1 ? undefined : decodeLine(octets.subarray(start, end));
    start = end + 1;
    if (!record) {
      bad.push(start);
      continue;
    }
    records += 1;
    good = start;
    clock = Math.max(clock, record.clock);
    if (record.lease) leases.set(`${record.lease.zone} ${record.lease.address}`, record.lease);
  }
  damaged = bad.filter((at) => at < good).length;
  return { leases: [...leases.values()], clock, records, damaged, torn: octets.length - good };
}

interface JournalRecord {
  readonly clock: number;
  readonly lease: Lease | undefined;
}

function decodeLine(octets: Uint8Array): JournalRecord | undefined {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('utf8');
  const json = text.slice(9);
  if (text.slice(0, 9) !== `${checksumOf(json)} `) return undefined;
  const value = parseObject(json);
  if (typeof value?.clock !== 'number' || !Number.isFinite(value.clock)) return undefined;
  return { clock: value.clock, lease: leaseFrom(value.lease) };
}

/** A checksum of 32 bits may be right by chance. */
function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json) ?? undefined;
  } catch {
    return undefined;
  }
}

const durableStates: ReadonlySet<unknown> = new Set<LeaseState>(['bound', 'released', 'declined']);

/** The checksum proves that we wrote it, but perhaps an older we: what does not fit is forgotten. */
function leaseFrom(value: unknown): Lease | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { zone, address, client, mac, hostname, state, expiresAt } = value as Record<string, unknown>;
  const texts = [zone, address, client, mac, hostname].every((text) => typeof text === 'string');
  if (!texts || !durableStates.has(state) || typeof expiresAt !== 'number') return undefined;
  return value as Lease;
}
