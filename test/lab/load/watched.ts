/**
 * Loaded into a supervisor (`--import`) it loads itself into the tunnel process, too, and writes down how that one answers: every half second
 * `MOAT_LOAD_MEASURES` gets a new text. SIGUSR2 begins anew.
 */
import childProcess, { type ChildProcess, type SpawnOptions } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Watched {
  /** Milliseconds from a liveness probe to its answer. */
  readonly probes: number;
  readonly slowestProbe: number;
  /** Milliseconds by which a timer of the tunnel process came late. */
  readonly longestStall: number;
  readonly stallP99: number;
  /** How often another process had to take its place. */
  readonly processes: number;
}

interface Message {
  readonly kind: string;
  readonly id?: number;
  readonly anew?: boolean;
  readonly stall?: { readonly longest: number; readonly p99: number };
}

const everyMs = 500;
const file = process.env.MOAT_LOAD_MEASURES ?? '';

function answerFromWithin(): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on('message', ({ kind, anew }: Message) => {
    if (kind !== 'measure') return;
    process.send?.({ kind: 'measured', stall: { longest: delay.max / 1e6, p99: delay.percentile(99) / 1e6 } });
    if (anew) delay.reset();
  });
}

class Watch {
  #child: ChildProcess | null = null;
  readonly #asked = new Map<number, number>();
  #lastId = 0;
  #anew = false;
  #measures: Watched = { probes: 0, slowestProbe: 0, longestStall: 0, stallP99: 0, processes: 0 };

  /** The one that has been given work: a spare process waits beside it. */
  take(child: ChildProcess): void {
    if (this.#child === child) return;
    this.#child = child;
    this.#asked.clear();
    this.#measures = { ...this.#measures, processes: this.#measures.processes + 1 };
    child.on('message', (message) => this.#receive(message as Message));
  }

  beginAnew(): void {
    this.#measures = { probes: 0, slowestProbe: 0, longestStall: 0, stallP99: 0, processes: 0 };
    this.#anew = true;
  }

  ask(): void {
    if (!this.#child?.connected) return;
    // Below zero: the supervisor's own count upwards.
    this.#lastId -= 1;
    this.#asked.set(this.#lastId, performance.now());
    this.#child.send({ kind: 'probe', id: this.#lastId }, () => {});
    this.#child.send({ kind: 'measure', anew: this.#anew }, () => {});
    this.#anew = false;
    // An answer that has not come yet has taken this long already.
    for (const at of this.#asked.values()) this.#probeTook(performance.now() - at);
    writeFileSync(`${file}.new`, JSON.stringify(this.#measures));
    renameSync(`${file}.new`, file);
  }

  #probeTook(ms: number): void {
    this.#measures = { ...this.#measures, slowestProbe: Math.max(this.#measures.slowestProbe, ms) };
  }

  #receive({ kind, id, stall }: Message): void {
    const at = this.#asked.get(id ?? 0);
    if (kind === 'probed' && id !== undefined && at !== undefined) {
      this.#asked.delete(id);
      this.#probeTook(performance.now() - at);
      this.#measures = { ...this.#measures, probes: this.#measures.probes + 1 };
    }
    if (kind === 'measured' && stall !== undefined && !this.#anew)
      this.#measures = { ...this.#measures, longestStall: stall.longest, stallP99: stall.p99 };
  }
}

function watchTunnel(): void {
  const watch = new Watch();
  const { spawn } = childProcess;
  const watching = (command: string, words: readonly string[], options: SpawnOptions) => {
    if (!words.some((word) => word.endsWith('tunnel/main.ts'))) return spawn(command, words, options);
    const env = { ...options.env, NODE_OPTIONS: process.env.NODE_OPTIONS };
    const child = spawn(command, words, { ...options, env });
    const send = child.send.bind(child) as (...values: unknown[]) => boolean;
    child.send = ((message: Message, ...rest: unknown[]) => {
      if (message.kind === 'configure') watch.take(child);
      return send(message, ...rest);
    }) as ChildProcess['send'];
    return child;
  };
  childProcess.spawn = watching as typeof childProcess.spawn;
  syncBuiltinESMExports();
  process.on('SIGUSR2', () => watch.beginAnew());
  setInterval(() => watch.ask(), everyMs).unref();
}

if (process.argv[1]?.endsWith('tunnel/main.ts')) answerFromWithin();
else if (process.argv[1]?.endsWith('appliance/main.ts')) watchTunnel();
