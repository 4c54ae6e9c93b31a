import type { Request } from './message.ts';

// Theory of operation. An address is asked for twice (RFC 5227 1.1 calls that probing), at the start and half-way. An
// answer ends the probe at once; silence until `clearAt` clears the address. The machine keeps the DISCOVER that waits.

export interface Probe {
  readonly zone: string;
  readonly interfaceName: string;
  readonly address: string;
  readonly request: Request;
  /** Addresses that answered before this one, for the same DISCOVER. */
  readonly conflicts: number;
  readonly againAt: number;
  readonly clearAt: number;
}

export type Probes = ReadonlyMap<string, Probe>;

/** More DISCOVERs at once than this wait for their next try; bounds memory and ARP traffic. */
const maximumProbes = 1024;

export interface ProbeStep {
  readonly probes: Probes;
  /** Ask (again) for these. */
  readonly ask: readonly Probe[];
  /** Nobody answered for these. */
  readonly clear: readonly Probe[];
}

function keyOf({ interfaceName, address }: Pick<Probe, 'interfaceName' | 'address'>): string {
  return `${interfaceName} ${address}`;
}

export type NewProbe = Omit<Probe, 'againAt' | 'clearAt'>;

/** Undefined when too many are under way. `durationMs`: all of the time that the probe may take. */
export function startProbe(probes: Probes, probe: NewProbe, now: number, durationMs: number): ProbeStep | undefined {
  if (probes.size >= maximumProbes) return undefined;
  const started: Probe = { ...probe, againAt: now + durationMs / 2, clearAt: now + durationMs };
  return { probes: new Map(probes).set(keyOf(probe), started), ask: [started], clear: [] };
}

/** The probe that an ARP reply ends, if any. */
export function endProbe(probes: Probes, where: Pick<Probe, 'interfaceName' | 'address'>): Probe | undefined {
  return probes.get(keyOf(where));
}

export function withoutProbe(probes: Probes, probe: Probe): Probes {
  const left = new Map(probes);
  left.delete(keyOf(probe));
  return left;
}

export function stepProbes(probes: Probes, now: number): ProbeStep {
  const left = new Map<string, Probe>();
  const ask: Probe[] = [];
  const clear: Probe[] = [];
  for (const [key, probe] of probes) {
    if (probe.clearAt <= now) {
      clear.push(probe);
      continue;
    }
    const due = probe.againAt <= now;
    if (due) ask.push(probe);
    left.set(key, due ? { ...probe, againAt: Number.POSITIVE_INFINITY } : probe);
  }
  return { probes: left, ask, clear };
}

/** When `stepProbes` has something to do; infinity when nothing is under way. */
export function probesWakeAt(probes: Probes): number {
  let at = Number.POSITIVE_INFINITY;
  for (const probe of probes.values()) at = Math.min(at, probe.againAt, probe.clearAt);
  return at;
}
