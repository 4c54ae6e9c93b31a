/** Keeps the wild side's clients running: one process for each, started again with growing pauses, gone when they are not wanted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { clientEnd, type WildClient } from './clients.ts';

const pauseMs = { first: 500, longest: 30_000 } as const;
/** Life after which an end counts as the first again. */
const goodLifeMs = 30_000;
/** A client that is asked to end gives its lease back. */
const farewellMs = 2000;

export type ClientLine = (program: string, line: string) => void;

class ClientRunner {
  readonly client: WildClient;
  readonly #folder: string;
  readonly #line: ClientLine;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs: number = pauseMs.first;
  #wanted = true;
  problem: string | null = null;

  constructor(client: WildClient, folder: string, line: ClientLine) {
    this.client = client;
    this.#folder = folder;
    this.#line = line;
    this.#start();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    // Its whole group: the program that holds the namespaces hears nothing itself.
    signalGroup(child, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), farewellMs);
    await gone;
    clearTimeout(timer);
  }

  #start(): void {
    const { command, files, program } = this.client;
    mkdirSync(join(this.#folder, 'leases'), { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.#folder, name), text, { mode: 0o600 });
    const began = performance.now();
    const words = ['--pdeathsig', 'KILL', ...command];
    const child = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    let last = '';
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        last = line.slice(0, 1000);
        this.#line(program, last);
      });
    }
    child.on('error', () => {});
    child.once('close', (code) => this.#ended(clientEnd(this.client, code, last), performance.now() - began));
  }

  #ended(problem: string | null, lifeMs: number): void {
    this.#child = null;
    if (!this.#wanted) return;
    this.problem = problem ?? this.problem;
    if (lifeMs > goodLifeMs) {
      this.#pauseMs = pauseMs.first;
      this.problem = null;
    }
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs);
    this.#pauseMs = Math.min(pauseMs.longest, this.#pauseMs * 2);
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

export class WildClients {
  readonly #folder: (zone: string) => string;
  readonly #line: ClientLine;
  #runners: readonly ClientRunner[] = [];

  constructor(folder: (zone: string) => string, line: ClientLine) {
    this.#folder = folder;
    this.#line = line;
  }

  /** Ends what is not wanted as it is; whether there was any. */
  async endOthers(wanted: readonly WildClient[]): Promise<boolean> {
    const same = (runner: ClientRunner) => wanted.some((client) => isDeepStrictEqual(client, runner.client));
    const gone = this.#runners.filter((runner) => !same(runner));
    this.#runners = this.#runners.filter(same);
    await Promise.all(gone.map((runner) => runner.stop()));
    return gone.length > 0;
  }

  /** Starts what is wanted and does not run. `settled`: zones that have an address, whose last trouble is over. */
  start(wanted: readonly WildClient[], settled: ReadonlySet<string>): void {
    const fresh = wanted.filter((client) => !this.#runners.some((runner) => isDeepStrictEqual(client, runner.client)));
    const started = fresh.map((client) => new ClientRunner(client, this.#folder(client.zone), this.#line));
    this.#runners = [...this.#runners, ...started];
    for (const runner of this.#runners) if (settled.has(runner.client.zone)) runner.problem = null;
  }

  problems(): string[] {
    return this.#runners.flatMap(({ problem }) => problem ?? []);
  }

  async close(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop()));
  }
}
