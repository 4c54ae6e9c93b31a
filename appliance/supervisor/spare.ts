/**
 * A second process of a service, started and not yet configured: when the first one ends, the second takes over at once. Starting Node
 * takes half a second here and seconds on a slow board or a busy one, and the tunnel's users wait for it.
 */
import type { ChildProcess } from 'node:child_process';
import type { FromService } from '../lib/messages.ts';
import { type ChildEvents, startChild } from './child.ts';
import type { ServiceRow } from './services.ts';

/** Who takes over has the processor for itself first. */
const defaultDelayMs = 1500;

interface Waiting {
  readonly child: ChildProcess;
  started: boolean;
  /** Who hears it; nobody before it is taken. */
  events: ChildEvents | null;
}

export class Spare {
  readonly #row: ServiceRow;
  readonly #stateDirectory: string;
  readonly #delayMs: number;
  #waiting: Waiting | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(row: ServiceRow, stateDirectory: string, delayMs = defaultDelayMs) {
    this.#row = row;
    this.#stateDirectory = stateDirectory;
    this.#delayMs = delayMs;
  }

  get pid(): number | null {
    return this.#waiting?.child.pid ?? null;
  }

  /** Soon there is one. Called again it changes nothing. */
  prepare(): void {
    if (this.#waiting !== null || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, this.#delayMs);
  }

  /** The one that waits, whose events from now on are the taker's; null while none is ready. */
  take(events: ChildEvents): ChildProcess | null {
    const waiting = this.#waiting;
    if (!waiting?.started) return null;
    this.#waiting = null;
    waiting.events = events;
    return waiting.child;
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting?.child.kill('SIGKILL');
    this.#waiting = null;
  }

  #start(): void {
    const child = startChild(this.#row, this.#stateDirectory, {
      message: (message) => this.#heard(waiting, message),
      line: (line) => waiting.events?.line(line),
      exited: (detail) => {
        if (this.#waiting === waiting) this.#waiting = null;
        waiting.events?.exited(detail);
      },
    });
    const waiting: Waiting = { child, started: false, events: null };
    this.#waiting = waiting;
  }

  #heard(waiting: Waiting, message: FromService): void {
    if (waiting.events) waiting.events.message(message);
    else if (message.kind === 'started') waiting.started = true;
  }
}
