/** Notices changes of links, addresses and routes within a moment, by `ip monitor`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Changes come in showers: the first is reported soon, since a tunnel may wait for it, and what follows it in groups. */
const firstMs = 20;
const betweenMs = 100;
const againMs = 5000;

export class NetworkMonitor {
  readonly #changed: () => void;
  #child: ChildProcess | null = null;
  #settling: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#start();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#settling);
    clearTimeout(this.#again);
    this.#child?.kill('SIGKILL');
  }

  #start(): void {
    if (this.#closed) return;
    const words = ['--pdeathsig', 'KILL', 'ip', '-o', 'monitor', 'link', 'address', 'route'];
    const child = spawn('setpriv', words, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', () => this.#soon());
    child.on('error', () => {});
    child.on('close', () => {
      // What happened meanwhile is unknown: look again.
      this.#again = setTimeout(() => {
        this.#start();
        this.#soon();
      }, againMs);
    });
  }

  #soon(): void {
    if (this.#closed || this.#settling) return;
    const wait = Math.max(firstMs, this.#reportedAt + betweenMs - performance.now());
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      this.#reportedAt = performance.now();
      this.#changed();
    }, wait);
  }
}
