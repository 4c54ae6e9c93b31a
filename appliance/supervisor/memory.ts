/** What the appliance has resident. Costs the kernel a walk over all pages of each process: only for those who ask. */
import { readdirSync, readFileSync } from 'node:fs';

/** Octets, what processes share counted once (proportional set size). 0 for a process that is not there. */
export function residentOctets(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** A process and all that it has started (chronyd, dhcpcd, pppd), as far as they are still there. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')
        .split(' ')
        .flatMap((child) => (child === '' ? [] : Number(child))),
    );
  } catch {
    return [];
  }
}
