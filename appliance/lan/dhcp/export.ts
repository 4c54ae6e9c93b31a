import { rename, writeFile } from 'node:fs/promises';
import { ipv4ToNumber } from './ipv4.ts';
import { isActive, type Lease } from './leases.ts';

/** A line of `leases.json`, which others (DNS) watch. A lease in the file is valid; times are for people and TTLs. */
export interface ExportedLease {
  readonly zone: string;
  readonly address: string;
  /** Fit for DNS; empty where the client has no usable name. */
  readonly hostname: string;
  readonly mac: string;
  /** Hexadecimal octets of option 61; empty where the client sent none. */
  readonly clientId: string;
  /** Milliseconds since 1970 by the time of day as it was when the file was written. */
  readonly expiresAt: number;
}

/** `now`: lease clock; `timeOfDay`: milliseconds since 1970. In order of address, so that equal leases are equal files. */
export function exportLeases(leases: Iterable<Lease>, now: number, timeOfDay: number): ExportedLease[] {
  const out: ExportedLease[] = [];
  for (const lease of leases) {
    if (lease.state !== 'bound' || !isActive(lease, now)) continue;
    const { zone, address, hostname, mac, client } = lease;
    const clientId = client === `01${mac.replaceAll(':', '')}` ? '' : client;
    out.push({ zone, address, hostname, mac, clientId, expiresAt: timeOfDay + lease.expiresAt - now });
  }
  return out.sort((a, b) => (a.zone === b.zone ? compareAddresses(a.address, b.address) : a.zone < b.zone ? -1 : 1));
}

function compareAddresses(a: string, b: string): number {
  return ipv4ToNumber(a) - ipv4ToNumber(b);
}

/** Readers see the old file or the new one, never half of one. Not synced: the journal is what survives a power cut. */
export async function writeExport(path: string, leases: readonly ExportedLease[]): Promise<void> {
  const beside = `${path}.new`;
  await writeFile(beside, `${JSON.stringify(leases, undefined, 1)}\n`, { mode: 0o644 });
  await rename(beside, path);
}
