import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** Milliseconds until SIGKILL; 60 s when not given. */
  readonly timeout?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end and collects what it says; a failure to start is code 127. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [file = '', ...rest] = command;
  return new Promise((resolve) => {
    const child = spawn(file, rest, {
      // A group of its own: Ctrl-C in the terminal is the lab's to handle, in its own order.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeout ?? 60_000,
      killSignal: 'SIGKILL',
      env: options.env ?? process.env,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }));
    child.on('close', (code, signal) => {
      const stderr =
        Buffer.concat(err).toString() + (signal === 'SIGKILL' ? `\nkilled after its time-out: ${file}` : '');
      resolve({ code: code ?? 128, stdout: Buffer.concat(out).toString(), stderr });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Like `run`, for commands that must work. @throws {Error} with the command and its last words. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code === 0) return stdout;
  throw new Error(`${command.join(' ')}: exit ${code}: ${(stderr.trim() || stdout.trim()).slice(-2000)}`);
}

/** A process as it can be found again: pids are used anew, start times are not. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  readonly startTicks: number;
}

/** Nothing when there is no such process (a zombie counts as none). */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : { pid, startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export function isAlive(process: ProcessId): boolean {
  return identify(process.pid)?.startTicks === process.startTicks;
}

function signal(target: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, name);
  } catch {
    // Gone between the look and the kill.
  }
}

/** Ends processes: SIGTERM, and SIGKILL to what is still there after `graceMs`. */
export async function endProcesses(targets: readonly ProcessId[], graceMs = 1500): Promise<void> {
  for (const target of targets) signal(target, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  while (targets.some(isAlive) && performance.now() < deadline) await sleep(10);
  for (const target of targets) signal(target, 'SIGKILL');
  while (targets.some(isAlive) && performance.now() < deadline + 2000) await sleep(5);
}

/** Polls until `holds`; the milliseconds it took. @throws {Error} after `patience` ms. */
export async function until(what: string, patience: number, holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > patience) throw new Error(`${what}: not within ${patience} ms`);
    await sleep(10);
  }
  return performance.now() - began;
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
