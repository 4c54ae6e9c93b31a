/** The shell around one service's restart machine: owns the process, the timer and the questions under way. */
import type { ChildProcess } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { FromService, ToDns, ToTunnel } from '../lib/messages.ts';
import { type ChildEvents, startChild, tell } from './child.ts';
import {
  isCrashLooping,
  type ServiceEffect,
  type ServiceEvent,
  type ServiceState,
  step,
  stoppedService,
  wakeAt,
} from './restart.ts';
import type { ServiceRow } from './services.ts';
import { Spare } from './spare.ts';

export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState['name'];
  readonly pid: number | null;
  /** Of the process that waits to take over; null where there is none. */
  readonly sparePid: number | null;
  readonly restarts: number;
  /** Why it ended the last time; null when it never has. */
  readonly lastEnd: string | null;
  /** Sentence; null while all is well. */
  readonly problem: string | null;
}

export interface Proof {
  readonly ok: boolean;
  readonly detail: string;
}

type Waiting = { readonly answer: (value: unknown) => void; readonly timer: NodeJS.Timeout };

export interface RunnerOptions {
  readonly stateDirectory: string;
  readonly log: Logger;
  /** A line that the service wrote. */
  line(service: string, line: string): void;
  /** Something changed that a status would show. */
  changed(): void;
  /** The tunnel has been given other resolvers. */
  resolvers(message: Extract<FromService, { kind: 'resolvers' }>): void;
}

export class ServiceRunner {
  readonly row: ServiceRow;
  readonly #options: RunnerOptions;
  readonly #questions = new Map<number, Waiting>();
  readonly #spare: Spare | null;
  #lastQuestion = 0;
  #livenessQuestion = 0;
  #state: ServiceState = stoppedService;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #work: { readonly revision: number; readonly slice: unknown } | null = null;
  #sent = 0;
  #standing: ToDns | null = null;
  #refusal: string | null = null;
  #onConfigured: ((problem: string | null) => void)[] = [];
  #onStopped: (() => void)[] = [];

  constructor(row: ServiceRow, options: RunnerOptions) {
    this.row = row;
    this.#options = options;
    this.#spare = row.spare ? new Spare(row, options.stateDirectory) : null;
  }

  /** Gives it this work, or none. Resolves when it is in force: with null, or with the sentence of a refusal. */
  configure(revision: number, slice: unknown): Promise<string | null> {
    this.#settle('superseded by another configuration');
    if (slice === null) {
      this.#rest();
      return Promise.resolve(null);
    }
    this.#work = { revision, slice };
    const result = new Promise<string | null>((resolve) => this.#onConfigured.push(resolve));
    if (this.#state.name === 'running') {
      this.#sendWork();
      this.#step({ kind: 'configuring' });
    } else this.#step({ kind: 'want' });
    return result;
  }

  /** Null when it does not run or does not answer in time: ten thousand boxes take a second to describe. */
  async describe(timeoutMs = 5000): Promise<unknown> {
    return this.#ask('describe', timeoutMs).catch(() => null);
  }

  async prove(timeoutMs = 5000): Promise<Proof & { readonly answered: boolean }> {
    try {
      return { ...((await this.#ask('probe', timeoutMs)) as Proof), answered: true };
    } catch (error) {
      return { ok: false, detail: (error as Error).message, answered: false };
    }
  }

  send(message: ToTunnel | ToDns): void {
    if (this.#child) tell(this.#child, message);
  }

  /** Says it now, and to each process that follows, behind its configuration. */
  sendAlways(message: ToDns): void {
    this.#standing = message;
    this.send(message);
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#settle('stopped');
    this.#rest();
    if (this.#state.name === 'stopped') return;
    await new Promise<void>((resolve) => this.#onStopped.push(resolve));
  }

  status(): ServiceStatus {
    const { name, record } = this.#state;
    return {
      name: this.row.name,
      state: name,
      pid: this.#child?.pid ?? null,
      sparePid: this.#spare?.pid ?? null,
      restarts: record.restarts,
      lastEnd: record.lastEnd,
      problem: this.#problem(),
    };
  }

  #rest(): void {
    this.#work = null;
    this.#spare?.drop();
    this.#step({ kind: 'unwant' });
  }

  #problem(): string | null {
    const { name } = this.row;
    const state = this.#state;
    if (isCrashLooping(state, performance.now())) {
      const seconds = state.name === 'waiting' ? Math.ceil((state.until - performance.now()) / 1000) : 0;
      const next = seconds > 0 ? `it is started again in ${seconds} s` : 'it has been started again';
      return `The ${name} service keeps ending (${state.record.restarts} times; the last: ${state.record.lastEnd}); ${next}.`;
    }
    if (this.#refusal !== null) return `The ${name} service refuses its configuration: ${this.#refusal}.`;
    if (state.name === 'running' && state.ailing)
      return `The ${name} service does not do its work: ${state.ailing.detail}.`;
    return null;
  }

  #step(event: ServiceEvent): void {
    const before = this.#state;
    const { state, effects } = step(before, event, performance.now());
    this.#state = state;
    if (event.kind === 'exited' && before !== state) this.#reportEnd(event.detail);
    for (const effect of effects) this.#perform(effect);
    this.#arm();
    if (state.name === 'stopped') for (const stopped of this.#onStopped.splice(0)) stopped();
    if (before !== state) this.#options.changed();
  }

  #reportEnd(detail: string): void {
    const { name, record } = this.#state;
    const fields = { service: this.row.name, detail, restarts: record.restarts, next: name };
    if (name === 'stopped') this.#options.log.info(fields, 'serviceStopped');
    else this.#options.log[isCrashLooping(this.#state, performance.now()) ? 'error' : 'warn'](fields, 'serviceEnded');
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = wakeAt(this.#state);
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#step({ kind: 'wake' }), Math.max(0, Math.ceil(at - performance.now())));
  }

  #perform(effect: ServiceEffect): void {
    switch (effect) {
      case 'spawn':
        this.#spawn();
        return;
      case 'configure':
        this.#sendWork();
        return;
      case 'probe':
        this.#probe();
        return;
      case 'stop':
        this.send({ kind: 'stop' });
        return;
      case 'kill':
        this.#options.log.warn({ service: this.row.name, why: this.#state.record.lastEnd }, 'serviceKilled');
        this.#child?.kill('SIGKILL');
    }
  }

  #spawn(): void {
    let ended = false;
    const events: ChildEvents = {
      message: (message) => this.#receive(message),
      line: (line) => this.#options.line(this.row.name, line),
      exited: (detail) => {
        if (ended) return;
        ended = true;
        this.#child = null;
        for (const id of this.#questions.keys()) this.#answer(id, new Error(`the ${this.row.name} service ended`));
        this.#step({ kind: 'exited', detail });
      },
    };
    const spare = this.#spare?.take(events) ?? null;
    const isAwaited = this.#spare !== null;
    const child = spare ?? startChild(this.row, this.#options.stateDirectory, events, isAwaited);
    this.#child = child;
    this.#options.log.info({ service: this.row.name, pid: child.pid, spare: spare !== null }, 'serviceStarted');
  }

  #sendWork(): void {
    if (!this.#work) return;
    this.#sent = this.#work.revision;
    this.send({ kind: 'configure', ...this.#work });
    if (this.#standing) this.send(this.#standing);
  }

  #receive(message: FromService): void {
    switch (message.kind) {
      case 'started':
        this.#step({ kind: 'started' });
        return;
      case 'configured':
      case 'refused':
        // An answer to something older than what was sent last says nothing about it.
        if (message.revision !== this.#sent) return;
        this.#refusal = message.kind === 'refused' ? message.problem : null;
        this.#settle(this.#refusal);
        this.#step({ kind: 'answered' });
        return;
      case 'probed':
        this.#spare?.prepare();
        if (message.id === this.#livenessQuestion) {
          this.#step({ kind: 'probed', ok: message.ok, detail: message.detail });
          return;
        }
        this.#answer(message.id, { ok: message.ok, detail: message.detail });
        return;
      case 'status':
        this.#answer(message.id, message.status);
        return;
      case 'resolvers':
        this.#options.resolvers(message);
        return;
    }
  }

  #settle(problem: string | null): void {
    for (const configured of this.#onConfigured.splice(0)) configured(problem);
  }

  #probe(): void {
    this.#lastQuestion += 1;
    this.#livenessQuestion = this.#lastQuestion;
    this.send({ kind: 'probe', id: this.#livenessQuestion });
  }

  #ask(kind: 'probe' | 'describe', timeoutMs: number): Promise<unknown> {
    if (this.#child === null || this.#state.name !== 'running') {
      return Promise.reject(new Error(`the ${this.row.name} service does not run`));
    }
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    return new Promise((resolve, reject) => {
      const answer = (value: unknown) => (value instanceof Error ? reject(value) : resolve(value));
      const late = new Error(`the ${this.row.name} service did not answer within ${timeoutMs / 1000} s`);
      const timer = setTimeout(() => this.#answer(id, late), timeoutMs);
      this.#questions.set(id, { answer, timer });
      this.send({ kind, id });
    });
  }

  #answer(id: number, value: unknown): void {
    const question = this.#questions.get(id);
    if (!question) return;
    this.#questions.delete(id);
    clearTimeout(question.timer);
    question.answer(value);
  }
}
