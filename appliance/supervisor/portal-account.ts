/** What the box owes its portal an account of: which configuration is in force, which was refused, how the tunnel does. */
import { performance } from 'node:perf_hooks';
import type { Prefix } from '../lib/ip.ts';
import type { Update } from './portal-release.ts';
import { type Carried, carried, type Refused, type Report, reportOf } from './portal-report.ts';
import type { ApplianceStatus } from './status.ts';

/** What the portal's client needs of the appliance that it belongs to. */
export interface Managed {
  /** Reads the configuration file again and puts it on trial. Resolves when it is applied. */
  load(): Promise<void>;
  inForce(): InForce;
  glance(): Promise<ApplianceStatus>;
  /** Whether NTP has a source that it follows. */
  clockIsKept(): Promise<boolean>;
}

export interface InForce {
  /** Null as long as nothing is in force. */
  readonly revision: number | null;
  readonly state: 'settled' | 'trying' | 'returned';
  /** A sentence: the newer configuration that is not in force, and why. */
  readonly problem: string | null;
  /** Networks behind the tunnels. */
  readonly inside: readonly Prefix[];
}

/** The tunnel's service is asked, and the updater's file read, no more often than this. */
const healthMs = 4000;

export class Account {
  readonly #managed: Managed;
  readonly #updated: () => Update | null;
  #update: Update | null = null;
  #confirmed = 0;
  #refused: Refused | null = null;
  #before: Carried = carried(null, performance.now());
  #health = '';
  #healthAt = 0;
  #seen = '';

  /** `updated`: what became of the last release that the portal wanted here. */
  constructor(managed: Managed, updated: () => Update | null) {
    this.#managed = managed;
    this.#updated = updated;
  }

  get tunnelUp(): boolean {
    return this.#health === 'up' || this.#health === 'degraded';
  }

  /** A configuration that cannot even be read; null: a newer one is being tried. */
  refuse(refused: Refused | null): void {
    this.#refused = refused;
  }

  /** Whether something has happened since the last look that the portal should know at once. */
  async hasNews(): Promise<boolean> {
    if (performance.now() >= this.#healthAt) {
      this.#healthAt = performance.now() + healthMs;
      const { tunnel, problems } = await this.#managed.glance();
      this.#health = tunnel?.state !== 'up' ? 'down' : problems.length > 0 ? 'degraded' : 'up';
      this.#update = this.#updated();
    }
    const { revision, state, problem } = this.#managed.inForce();
    const seen = JSON.stringify([revision, state, problem, this.#health, this.#update]);
    const before = this.#seen;
    this.#seen = seen;
    return seen !== before;
  }

  /** Whether the revision is in force and has proven itself. */
  isProven(revision: number | null): boolean {
    const now = this.#managed.inForce();
    return now.state === 'settled' && now.problem === null && now.revision === revision;
  }

  /** `fetched`: the revision that came last, or null; `roundTripMs`: to the portal and back. */
  async report(fetched: number | null, roundTripMs: number): Promise<Report> {
    const status = await this.#managed.glance();
    const { revision, state, problem } = this.#managed.inForce();
    if (state === 'settled' && revision !== null) this.#confirmed = revision;
    if (problem !== null && fetched !== null && (this.#refused === null || this.#refused.rolledBack)) {
      this.#refused = { revision: fetched, problem, rolledBack: true };
    }
    const before = this.#before;
    this.#before = carried(status.tunnel, performance.now());
    return reportOf({
      status,
      appliedRevision: revision,
      confirmedRevision: this.#confirmed,
      refused: this.#refused,
      update: this.#updated(),
      before,
      now: this.#before,
      roundTripMs,
    });
  }
}
