import { readdirSync, readFileSync } from 'node:fs';
import type { Host } from '../lab/host.ts';
import { run } from '../lab/processes.ts';

/** Clock ticks a second: USER_HZ is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Seconds of processor time so far. */
export interface CpuTime {
  /**
   * Of all threads in the gateways' namespaces. What the kernel does in a thread's own calls counts, the interrupts that
   * they cause as well: the envelope that a gateway sends crosses the internet's namespace at the sender's expense.
   */
  readonly gateways: number;
  /** Of the kernel's own threads for packets that came too fast for that (ksoftirqd), whoever they were for. */
  readonly softirq: number;
  /** Of the whole machine, whoever used it. */
  readonly machine: number;
}

export async function cpuTime(gateways: readonly Host[]): Promise<CpuTime> {
  const pids = (await Promise.all(gateways.map(pidsOf))).flat();
  const sum = (list: readonly string[]) => list.reduce((total, pid) => total + processSeconds(pid), 0);
  return { gateways: sum(pids), softirq: sum(softirqThreads), machine: machineSeconds() };
}

export const spent = (before: CpuTime, after: CpuTime): CpuTime => ({
  gateways: after.gateways - before.gateways,
  softirq: after.softirq - before.softirq,
  machine: after.machine - before.machine,
});

async function pidsOf(host: Host): Promise<string[]> {
  const { stdout } = await run(['ip', 'netns', 'pids', host.namespace]);
  return stdout.split(/\s+/).filter(Boolean);
}

const softirqThreads = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && nameOf(pid).startsWith('ksoftirqd/'));

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1');
  } catch {
    return '';
  }
}

/** Of all its threads that live, in nanoseconds as the scheduler counts them; 0 when it has ended. */
function processSeconds(pid: string): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const ran = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'));
    return ran.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e9;
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

/** Resident octets of all processes of a gateway; what they share is counted in each. */
export async function residentOctets(host: Host): Promise<number> {
  const pids = await pidsOf(host);
  return pids.reduce((sum, pid) => sum + resident(pid), 0);
}

function resident(pid: string): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What a reader of the results has to know about the machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
}

export function machine(): Machine {
  const text = readFileSync('/proc/cpuinfo', 'latin1');
  const memory = /MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'));
  return {
    processor: /model name\s*: (.*)/.exec(text)?.[1] ?? 'unknown',
    cores: readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length,
    memoryGb: Math.round(Number(memory?.[1] ?? 0) / 1e6),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'latin1').trim(),
  };
}
