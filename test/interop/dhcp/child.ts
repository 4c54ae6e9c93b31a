import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host, Network } from './network.ts';

/** A script of this folder inside a host's namespace, heard by its JSON lines. */
export class Child {
  static readonly #all = new Set<ChildProcess>();

  /** Leaves none behind, however a step ended. */
  static killAll(): void {
    for (const child of Child.#all) child.kill('SIGKILL');
  }

  readonly #child: ChildProcess;
  #lines: unknown[] = [];
  #waiting: ((line: unknown) => void) | undefined;

  constructor(network: Network, host: Host, script: string, ...words: string[]) {
    const command = [process.execPath, join(import.meta.dirname, script), ...words];
    this.#child = spawn('ip', ['netns', 'exec', network.name(host), ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    Child.#all.add(this.#child);
    this.#child.once('exit', () => Child.#all.delete(this.#child));
    if (!this.#child.stdout) throw new Error('its stdout is a pipe');
    createInterface({ input: this.#child.stdout }).on('line', (text) => this.#heard(JSON.parse(text)));
  }

  #heard(line: unknown): void {
    if (this.#waiting) this.#waiting(line);
    else this.#lines.push(line);
  }

  /** The next line. */
  line(): Promise<unknown> {
    if (this.#lines.length > 0) return Promise.resolve(this.#lines.shift());
    return new Promise((resolve, reject) => {
      const gone = (code: number | null) => reject(new Error(`the child ended with ${code}`));
      this.#child.once('exit', gone);
      this.#waiting = (line) => {
        this.#waiting = undefined;
        this.#child.off('exit', gone);
        resolve(line);
      };
    });
  }

  /** Every line from now on. */
  onLine(hear: (line: unknown) => void): void {
    for (const line of this.#lines.splice(0)) hear(line);
    this.#waiting = hear;
  }

  /** Tells the child to go on (or to end, as it understands it). */
  go(): void {
    this.#child.stdin?.write('\n');
  }

  /** The same, and waits for its end. */
  async end(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.go();
    await exited;
  }
}
