/** The shell around the transaction of configurations: the disk, the timer, and the proof that is asked for again and again. */
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { type ConfigStore, generationOf, type Source } from '../config/store.ts';
import {
  begin,
  type Generation,
  inForce,
  step,
  type TransactionEffect,
  type TransactionEvent,
  type TransactionState,
  wakeAt,
} from '../config/transaction.ts';
import type { Proof } from './service-runner.ts';

const proofEveryMs = 2000;

export interface ConfigurationsOptions {
  readonly store: ConfigStore;
  readonly log: Logger;
  /** Puts a configuration in force, whole. @throws {Error} with a sentence when it cannot. */
  apply(source: Source): Promise<void>;
  /** Whether the box does its work since the last `apply`. */
  prove(): Promise<Proof>;
}

export class Configurations {
  readonly #options: ConfigurationsOptions;
  readonly #offered = new Map<Generation, Source>();
  #state: TransactionState = { name: 'settled', confirmed: null, rejected: null };
  #timer: NodeJS.Timeout | undefined;
  #applying: Promise<void> = Promise.resolve();
  #lastProof: Proof = { ok: false, detail: 'it has not been asked yet' };
  #closed = false;

  constructor(options: ConfigurationsOptions) {
    this.#options = options;
  }

  /**
   * Starts with what the disk has and what the configuration file says. A file that was rejected is not tried again by a restart.
   */
  async start(file: Source | null): Promise<void> {
    const found = this.#options.store.found();
    const given = file && generationOf(file);
    if (file) this.#offered.set(generationOf(file), file);
    const isNew = given !== null && given !== found.confirmed && given !== found.rejected?.generation;
    if (isNew && given !== found.candidate) {
      this.#state = { name: 'settled', confirmed: found.confirmed, rejected: null };
      await this.offer(file as Source);
      return;
    }
    const { state, effects } = begin(found, performance.now());
    this.#state = state;
    this.#perform(effects);
    if (inForce(state) === null && file) this.#on({ kind: 'offer', generation: generationOf(file) });
    this.#again();
    await this.#applied();
  }

  /** Resolves when it has been applied, or given up; whether it proves itself shows later. */
  async offer(source: Source): Promise<void> {
    this.#offered.set(generationOf(source), source);
    this.#on({ kind: 'offer', generation: generationOf(source) });
    this.#again();
    await this.#applied();
  }

  /** Null while nothing is wrong. */
  problem(): string | null {
    const state = this.#state;
    if (state.name === 'returned') {
      return `The new configuration was taken back after a trial (${fragment(state.why)}); the one before is in force and is being proven.`;
    }
    if (state.name === 'settled' && state.rejected) {
      return `The new configuration did not work (${fragment(state.rejected.why)}); the one before is in force.`;
    }
    return null;
  }

  status(): { readonly state: TransactionState['name']; readonly generation: string | null; readonly proof: string } {
    const generation = inForce(this.#state)?.slice(0, 12) ?? null;
    return { state: this.#state.name, generation, proof: this.#lastProof.detail };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #on(event: TransactionEvent): void {
    const before = this.#state;
    const { state, effects } = step(before, event, performance.now());
    this.#state = state;
    if (state.name !== before.name) {
      this.#options.log.info({ event, generation: inForce(state)?.slice(0, 12) }, `configuration ${state.name}`);
    }
    this.#perform(effects);
    this.#forget();
  }

  /** What the state no longer speaks of: a portal may send thousands in a life. */
  #forget(): void {
    const state = this.#state;
    const spoken = state.name === 'settled' ? [state.confirmed] : [state.candidate, state.old];
    for (const generation of this.#offered.keys()) if (!spoken.includes(generation)) this.#offered.delete(generation);
  }

  #perform(effects: readonly TransactionEffect[]): void {
    const { store } = this.#options;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'saveCandidate':
          this.#onDisk(() => store.saveCandidate(this.#source(effect.generation)));
          break;
        case 'confirm':
          this.#onDisk(() => store.confirm(this.#source(effect.generation)));
          break;
        case 'reject':
          this.#onDisk(() => store.reject(this.#source(effect.rejected.generation), effect.rejected));
          break;
        case 'apply':
          this.#apply(effect.generation);
      }
    }
  }

  /** A disk that is full or broken must not stop the box from working. */
  #onDisk(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#options.log.error({ problem: (error as Error).message }, 'configurationNotStored');
    }
  }

  #source(generation: Generation): Source {
    const source = this.#offered.get(generation) ?? this.#options.store.source(generation);
    if (!source) throw new Error(`the configuration ${generation} is not on the disk any more`);
    return source;
  }

  /** One after the other. What is superseded before its turn is not applied. */
  #apply(generation: Generation): void {
    this.#lastProof = { ok: false, detail: 'it was put in force just now' };
    this.#applying = this.#applying.then(async () => {
      if (inForce(this.#state) !== generation) return;
      try {
        await this.#options.apply(this.#source(generation));
      } catch (error) {
        const problem = (error as Error).message;
        this.#options.log.error({ problem, generation: generation.slice(0, 12) }, 'configurationNotApplied');
        this.#on({ kind: 'failed', problem });
      }
    });
  }

  /** Until nothing is left to apply: a failure may bring the old one back. */
  async #applied(): Promise<void> {
    let last: Promise<void> | null = null;
    while (last !== this.#applying) {
      last = this.#applying;
      await last;
    }
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#state.name === 'settled') return;
    this.#timer = setTimeout(() => void this.#prove(), proofEveryMs);
  }

  async #prove(): Promise<void> {
    await this.#applied();
    const generation = inForce(this.#state);
    if (generation !== null && this.#state.name !== 'settled') {
      this.#lastProof = await this.#options.prove();
      // Something else may have come into force meanwhile.
      if (this.#lastProof.ok && inForce(this.#state) === generation) this.#on({ kind: 'proven', generation });
      else if (performance.now() >= wakeAt(this.#state)) this.#on({ kind: 'wake', problem: this.#lastProof.detail });
    }
    this.#again();
  }
}

/** A sentence inside another has no full stop. */
const fragment = (sentence: string) => sentence.replace(/\.$/, '');
