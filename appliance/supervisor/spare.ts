/**
 * A second process of a service, started and not yet configured: when the first one ends, the second takes over at once. Starting Node
 * takes half a second here and seconds on a slow board or a busy one, and the tunnel's users wait for it.
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { FromService } from '../lib/messages.ts';
import { type ChildEvents, startChild } from './child.ts';
import type { ServiceRow } from './services.ts';

/** Who has just taken over has the processor for its handshake. */
const defaultDelayMs = 200;
/** Of the process that waits, so that its start takes nothing from those who work. */
const waitingNice = 15;

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

  /**
   * The one that waits, be it in the middle of its start, which is nearer to its end than that of another would be. Its events are the
   * taker's from now on, `started` among them, and it is as important as any. Null when there is none.
   */
  take(events: ChildEvents): ChildProcess | null {
    const waiting = this.#waiting;
    if (waiting === null) return null;
    this.#waiting = null;
    waiting.events = events;
    giveWeight(waiting.child.pid, 0);
    // It has said so long ago, to nobody.
    if (waiting.started) setImmediate(() => isAlive(waiting.child) && events.message({ kind: 'started' }));
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
    giveWeight(child.pid, waitingNice);
    this.#waiting = waiting;
  }

  #heard(waiting: Waiting, message: FromService): void {
    if (waiting.events) waiting.events.message(message);
    else if (message.kind === 'started') waiting.started = true;
  }
}

const isAlive = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;

/** Linux has a nice value for each thread. Who may not set it (no root) lives with what there is. */
function giveWeight(pid: number | undefined, nice: number): void {
  if (pid === undefined) return;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), nice);
  } catch {
    // It has ended, or is not ours to raise.
  }
}
