import { readdirSync, readFileSync } from 'node:fs';
import type { Host } from '../lab/host.ts';
import { run } from '../lab/processes.ts';

/** Clock ticks a second: USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Seconds of processor time so far. */
export interface CpuTime {
  /** Of all processes in the gateways' namespaces, kernel time on their behalf included. */
  readonly gateways: number;
  /** Of the whole machine, whoever used it: forwarding in the kernel counts here only. */
  readonly machine: number;
}

export async function cpuTime(gateways: readonly Host[]): Promise<CpuTime> {
  const lists = await Promise.all(gateways.map(({ namespace }) => run(['ip', 'netns', 'pids', namespace])));
  const pids = lists.flatMap(({ stdout }) => stdout.split(/\s+/).filter(Boolean));
  return { gateways: pids.reduce((sum, pid) => sum + processSeconds(pid), 0), machine: machineSeconds() };
}

/** User and system time of all threads; 0 when it has ended. */
function processSeconds(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return ((fields[11] ?? 0) + (fields[12] ?? 0)) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/** All but idle and iowait. */
function machineSeconds(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** What a reader of the results has to know about the machine. */
export function machine(): { processor: string; cores: number; kernel: string } {
  const text = readFileSync('/proc/cpuinfo', 'latin1');
  return {
    processor: /model name\s*: (.*)/.exec(text)?.[1] ?? 'unknown',
    cores: readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length,
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'latin1').trim(),
  };
}
