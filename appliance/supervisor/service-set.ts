/** All services of the table together: one configuration for all, started in order, stopped in the opposite one. */
import type { LoadedConfig } from '../config/files.ts';
import type { TunnelStatus } from '../tunnel/status.ts';
import { limits } from './restart.ts';
import { type Proof, type RunnerOptions, ServiceRunner, type ServiceStatus } from './service-runner.ts';
import { services } from './services.ts';

export type SetOptions = Omit<RunnerOptions, 'resolvers'>;

export class ServiceSet {
  readonly #options: SetOptions;
  readonly #runners: readonly ServiceRunner[];
  /** Services that have done their work since they were first configured: they must go on doing so. */
  readonly #proven = new Set<string>();

  constructor(options: SetOptions) {
    this.#options = options;
    const resolvers: RunnerOptions['resolvers'] = (message) => this.runner('dns')?.sendAlways(message);
    this.#runners = services.map((row) => new ServiceRunner(row, { ...options, resolvers }));
  }

  runner(name: string): ServiceRunner | undefined {
    return this.#runners.find(({ row }) => row.name === name);
  }

  async tunnel(): Promise<TunnelStatus | null> {
    return ((await this.runner('tunnel')?.describe()) ?? null) as TunnelStatus | null;
  }

  /** Whether the time comes from a server that chronyd has chosen (lan/ntp/tracking.ts). */
  async clockIsKept(): Promise<boolean> {
    const ntp = ((await this.runner('ntp')?.describe()) ?? null) as { sources: readonly { state: string }[] } | null;
    return ntp?.sources.some(({ state }) => state === 'selected') ?? false;
  }

  /** @throws {Error} with a sentence when a service refuses its part or does not come up with it. */
  async apply(loaded: LoadedConfig): Promise<void> {
    const { role, revision } = loaded.config;
    const answers = this.#runners.map(async (runner) => {
      const { row } = runner;
      const slice = row.roles.includes(role) ? row.slice(loaded, this.#options.stateDirectory) : null;
      if (slice === null) this.#proven.delete(row.name);
      const problem = await withinTime(runner.configure(revision, slice));
      return problem === null ? [] : [`the ${row.name} service: ${problem}`];
    });
    const problems = (await Promise.all(answers)).flat();
    if (problems.length > 0) throw new Error(problems.join('; '));
  }

  /** Remembers who does its work now. */
  remember(): void {
    for (const { name, state, problem } of this.status()) {
      if (state === 'running' && problem === null) this.#proven.add(name);
    }
  }

  /**
   * Whether each service that runs does its work. One that never could (a cable that is not plugged in) only has to answer.
   */
  async prove(): Promise<Proof> {
    const running = this.#runners.filter((runner) => runner.status().state !== 'stopped');
    for (const runner of running) {
      const proof = await runner.prove();
      const excused = proof.answered && !this.#proven.has(runner.row.name);
      if (!proof.ok && !excused) return { ok: false, detail: `the ${runner.row.name} service: ${proof.detail}` };
    }
    return { ok: true, detail: 'every service does its work' };
  }

  status(): ServiceStatus[] {
    return this.#runners
      .map((runner) => runner.status())
      .filter(({ state, restarts }) => state !== 'stopped' || restarts > 0);
  }

  async stop(): Promise<void> {
    for (const runner of [...this.#runners].reverse()) await runner.stop();
  }
}

/** Starts included, no shorter than the restart machine's patience: a slow board is not a wrong configuration. */
function withinTime(answer: Promise<string | null>): Promise<string | null> {
  const late = `did not take its configuration within ${limits.configure / 1000} s`;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(late), limits.configure);
  });
  return Promise.race([answer, deadline]).finally(() => clearTimeout(timer));
}
