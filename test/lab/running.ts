import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { endProcesses, identify, type ProcessId, sleep } from './processes.ts';

/** What a host needs of its world. */
export interface Home {
  readonly runDirectory: string;
  readonly temporary: string;
  /** Remembers a process, so that it goes when the world goes, or after a crash of its owner. */
  adopt(process: ProcessId): void;
  disown(process: ProcessId): void;
}

/** How many lines are kept until somebody asks; a talkative program is not remembered for ever. */
const unreadLines = 1000;

/** The lines of a stream that nobody has asked for yet. */
class Lines {
  readonly #unread: string[] = [];
  readonly #heard = new EventEmitter();
  #isOver = false;

  constructor(stream: Readable) {
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      this.#unread.push(line);
      if (this.#unread.length > unreadLines) this.#unread.shift();
      this.#heard.emit('line');
    });
    lines.on('close', () => {
      this.#isOver = true;
      this.#heard.emit('line');
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The first that matches, and those before it are gone; null when the stream ends or `timeout` ms pass before. */
  async next(pattern: RegExp, timeout: number): Promise<string | null> {
    const late = AbortSignal.timeout(timeout);
    for (;;) {
      const found = this.#unread.findIndex((line) => pattern.test(line));
      if (found >= 0) return this.#unread.splice(0, found + 1).at(-1) ?? null;
      if (this.#isOver || late.aborted) return null;
      await once(this.#heard, 'line', { signal: late }).catch(() => undefined);
    }
  }

  /** For an error: what is there in the place of what was waited for. */
  instead(): string {
    const last = this.#unread.at(-1);
    return last === undefined ? 'nothing came' : `what came last is: ${last}`;
  }
}

/** A process that goes on running in a host. Its output is in the run's directory, `HOST.NAME.log`. */
export class Running {
  readonly child: ChildProcess;
  readonly id: ProcessId;
  readonly log: string;
  readonly exited: Promise<number>;
  #hasExited = false;
  readonly #home: Home;
  readonly #said: Lines;
  readonly #complained: Lines;

  constructor(child: ChildProcess & { readonly stdout: Readable; readonly stderr: Readable }, home: Home, log: string) {
    const id = identify(child.pid ?? -1);
    if (!id) throw new Error(`did not start: ${child.spawnargs.join(' ')} (log: ${log})`);
    this.child = child;
    this.id = id;
    this.log = log;
    this.#home = home;
    home.adopt(id);
    this.#said = new Lines(child.stdout);
    this.#complained = new Lines(child.stderr);
    this.exited = once(child, 'exit').then(([code]) => {
      this.#hasExited = true;
      home.disown(id);
      return (code as number | null) ?? 128;
    });
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /**
   * Resolves with the first line of stdout that matches, of those after the last one that was returned.
   * @throws {Error} when it ends or `timeout` ms pass before; it tells what came instead.
   */
  line(pattern: RegExp, timeout = 10_000): Promise<string> {
    return this.#next(this.#said, pattern, timeout);
  }

  /** Like `line`, of stderr. */
  complaint(pattern: RegExp, timeout = 10_000): Promise<string> {
    return this.#next(this.#complained, pattern, timeout);
  }

  async #next(lines: Lines, pattern: RegExp, timeout: number): Promise<string> {
    const line = await lines.next(pattern, timeout);
    if (line !== null) return line;
    const why = lines.isOver ? `${await this.#ending()} before ${pattern}` : `no line ${pattern} within ${timeout} ms`;
    throw new Error(`${why}; ${lines.instead()} (log: ${this.log})`);
  }

  /** A program may close its output and live on. */
  async #ending(): Promise<string> {
    const closed = sleep(500).then(() => 'closed its output');
    return Promise.race([this.exited.then((code) => `ended with ${code}`), closed]);
  }

  async stop(graceMs?: number): Promise<void> {
    await endProcesses([this.id], graceMs);
    if (!this.#hasExited) await this.exited;
    this.#home.disown(this.id);
  }
}
