import {
  expiresAt,
  type SecondaryConfig,
  type SecondaryEffect,
  type SecondaryEvent,
  type SecondaryState,
  startSecondary,
  step,
  wakeAt,
} from '../secondary/secondary.ts';
import { nameToText } from '../wire/name.ts';
import type { Zone } from '../zone/zone.ts';
import { Alarm, currentEnv, firstPlausibleSeconds, monotonic, wallSeconds } from './clock.ts';
import { sentenceFor } from './errors.ts';
import type { Log } from './log.ts';
import { PrimaryConnection } from './primary-connection.ts';
import { tidyUpSoon } from './tidy-up.ts';
import type { ZoneStore } from './zone-store.ts';

export interface ZoneRunnerOptions {
  readonly config: SecondaryConfig;
  readonly source: string | undefined;
  readonly store: ZoneStore;
  readonly log: Log;
  /** What is served has changed: another zone, or the same now past its expiry or fresh again. */
  readonly onChange: () => void;
}

/** Runs the machine of one secondary zone. It serves from the constructor on whatever the disk holds. */
export class ZoneRunner {
  readonly #options: ZoneRunnerOptions;
  readonly #connection: PrimaryConnection;
  readonly #alarm = new Alarm(() => this.event({ kind: 'timer' }));
  #state: SecondaryState;
  #stopped = false;
  transfers = { whole: 0, incremental: 0 };

  constructor(options: ZoneRunnerOptions) {
    this.#options = options;
    this.#connection = new PrimaryConnection(options.source, (event) => this.event(event));
    this.#state = startSecondary(options.config, this.#load(), currentEnv());
    this.event({ kind: 'timer' });
  }

  get config(): SecondaryConfig {
    return this.#options.config;
  }

  get zone(): Zone | undefined {
    return this.#state.held?.zone;
  }

  get expired(): boolean {
    return this.#state.held?.expired ?? false;
  }

  get problem(): string | undefined {
    return this.#state.problem;
  }

  event(event: SecondaryEvent): void {
    if (this.#stopped) return;
    const result = step(this.#state, event, { ...currentEnv(), wallSeconds: wallSeconds() });
    const before = this.#state.held;
    this.#state = result.state;
    for (const effect of result.effects) this.#perform(effect);
    const after = this.#state.held;
    if (before?.zone !== after?.zone || before?.expired !== after?.expired) this.#options.onChange();
    this.#alarm.set(wakeAt(this.#state));
  }

  stop(): void {
    this.#stopped = true;
    this.#connection.hangUp();
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  describe(): Record<string, unknown> {
    const { held, activity, failures, problem } = this.#state;
    const now = monotonic();
    return {
      name: nameToText(this.config.origin),
      state: held ? (held.expired ? 'expired' : 'current') : 'empty',
      serial: held?.zone.soa.serial,
      records: held?.zone.records,
      refreshedSecondsAgo: held && Math.round((now - held.refreshedAt) / 1000),
      expiresInSeconds: held && Math.round((expiresAt(held) - now) / 1000),
      activity: activity.name,
      failures,
      problem,
      transfers: this.transfers,
    };
  }

  #load(): { zone: Zone; ageSeconds: number } | undefined {
    const { store, config, log } = this.#options;
    const stored = store.load(config.origin);
    if (typeof stored === 'string') log('zoneFileUnusable', { zone: nameToText(config.origin), problem: stored });
    if (stored === undefined || typeof stored === 'string') return undefined;
    tidyUpSoon();
    // A clock that never ran tells no age: the zone counts as fresh, and is asked about at once anyway.
    const known = stored.refreshedAtSeconds >= firstPlausibleSeconds;
    return { zone: stored.zone, ageSeconds: known ? Math.max(0, wallSeconds() - stored.refreshedAtSeconds) : 0 };
  }

  #perform(effect: SecondaryEffect): void {
    const zone = nameToText(this.config.origin);
    const { log } = this.#options;
    if (effect.kind === 'connect') this.#connection.connect(effect.primary);
    else if (effect.kind === 'send') this.#connection.send(effect.bytes);
    else if (effect.kind === 'hangUp') this.#connection.hangUp();
    else if (effect.kind === 'save') this.#save(effect.zone);
    else if (effect.kind === 'expired') log('zoneExpired', { zone, problem: this.#state.problem });
    else if (effect.kind === 'failed') {
      log('zoneRefreshFailed', { zone, primary: effect.primary.address, problem: effect.problem });
    } else if (effect.kind === 'publish') {
      this.transfers[effect.incremental ? 'incremental' : 'whole'] += 1;
      tidyUpSoon();
      log('zoneTransferred', { zone, serial: effect.zone.soa.serial, incremental: effect.incremental });
    }
  }

  #save(zone: Zone): void {
    const seconds = wallSeconds();
    const refreshedAtSeconds = seconds >= firstPlausibleSeconds ? seconds : 0;
    this.#options.store.save({ zone, refreshedAtSeconds }).catch((error: unknown) => {
      this.#options.log('zoneNotSaved', { zone: nameToText(zone.origin), problem: sentenceFor(error) });
    });
  }
}
