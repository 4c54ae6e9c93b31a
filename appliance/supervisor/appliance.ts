/** The appliance as a whole: one configuration, the services that do its work, and what `moat status` says of them. */
import { mkdirSync, renameSync, unwatchFile, watchFile, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { type LoadedConfig, loadConfig } from '../config/files.ts';
import { ConfigError } from '../config/problems.ts';
import { version } from '../lib/version.ts';
import type { TunnelStatus } from '../tunnel/status.ts';
import type { ControlAnswer, ControlRequest } from './control.ts';
import type { LogSink } from './log-sink.ts';
import { residentOctets, ServiceRunner } from './service-runner.ts';
import { services } from './services.ts';
import { type ApplianceStatus, applianceStatus } from './status.ts';
import { whyText } from './why.ts';

const configPollMs = 1000;
const whyIntervalMs = 2000;
const newestLines = 500;

export interface ApplianceOptions {
  readonly configFile: string;
  readonly stateDirectory: string;
  readonly log: Logger;
  readonly sink: LogSink;
}

export class Appliance {
  readonly #options: ApplianceOptions;
  readonly #log: Logger;
  readonly #runners: readonly ServiceRunner[];
  #loaded: LoadedConfig | null = null;
  #configProblem: string | null = null;
  #whyTimer: NodeJS.Timeout | undefined;
  #why = '';
  /** Whether a change of the file is waited for. */
  #waiting = false;

  constructor(options: ApplianceOptions) {
    this.#options = options;
    this.#log = options.log;
    // Services under their own users pass through to their own folders; what is here is for the owner's eyes.
    mkdirSync(options.stateDirectory, { recursive: true, mode: 0o711 });
    this.#runners = services.map(
      (row) =>
        new ServiceRunner(row, {
          stateDirectory: options.stateDirectory,
          log: this.#log,
          line: (service, line) => this.#passOn(service, line),
          changed: () => {},
        }),
    );
  }

  async start(): Promise<void> {
    await this.load();
    this.#whyTimer = setInterval(() => void this.#writeWhy(), whyIntervalMs);
  }

  /** Reads the configuration and puts it in force, or keeps what there was. */
  async load(): Promise<void> {
    try {
      const loaded = loadConfig(this.#options.configFile);
      this.#configProblem = null;
      this.#stopWaiting();
      const { role, name, revision } = loaded.config;
      this.#log.info({ role, name, revision, file: this.#options.configFile }, 'configured');
      this.#loaded = loaded;
      await this.#apply(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (this.#configProblem !== error.message) {
        this.#log.error({ file: this.#options.configFile, problems: error.problems }, 'configurationRefused');
      }
      this.#configProblem = error.message;
      this.#awaitMending();
    }
  }

  async answer(request: ControlRequest): Promise<ControlAnswer> {
    switch (request.kind) {
      case 'status':
        break;
      case 'logs':
        return { ok: true, status: await this.status(), text: this.#options.sink.newest(newestLines).join('') };
      case 'rekey':
        this.#runner('tunnel')?.send(request);
        break;
      case 'reload':
        await this.load();
        if (this.#configProblem !== null) return { ok: false, problem: (await this.status()).sentence };
        break;
      default:
        return { ok: false, problem: 'unknown request' };
    }
    return { ok: true, status: await this.status() };
  }

  async status(): Promise<ApplianceStatus> {
    const tunnel = (await this.#runner('tunnel')?.describe()) as TunnelStatus | null;
    const states = this.#runners.map((runner) => runner.status());
    return applianceStatus({
      version,
      uptimeSeconds: Math.floor(performance.now() / 1000),
      configFile: this.#options.configFile,
      residentOctets: states.reduce((sum, each) => sum + each.residentOctets, residentOctets(process.pid)),
      configProblem: this.#configProblem,
      configured: this.#loaded !== null,
      tunnel,
      services: states.filter(({ state, restarts }) => state !== 'stopped' || restarts > 0),
      logLinesLost: this.#options.sink.lost,
    });
  }

  /** In the opposite order of the start: the tunnel, on which others may stand, says goodbye last. */
  async stop(): Promise<void> {
    this.#stopWaiting();
    clearInterval(this.#whyTimer);
    for (const runner of [...this.#runners].reverse()) await runner.stop();
  }

  async #apply(loaded: LoadedConfig): Promise<void> {
    const { role, revision } = loaded.config;
    const answers = this.#runners.map(async (runner) => {
      const { row } = runner;
      const slice = row.roles.includes(role) ? row.slice(loaded, this.#options.stateDirectory) : null;
      const problem = await runner.configure(revision, slice);
      if (problem !== null) this.#log.warn({ service: row.name, revision, problem }, 'serviceNotConfigured');
    });
    await Promise.all(answers);
  }

  #runner(name: string): ServiceRunner | undefined {
    return this.#runners.find(({ row }) => row.name === name);
  }

  /** Lines of services are JSON already; what is not (the last words of a crash) is made so. */
  #passOn(service: string, line: string): void {
    if (!line.startsWith('{')) this.#log.warn({ service, line }, 'serviceSaid');
    else if (line.includes(`"service":"${service}"`)) this.#options.sink.write(`${line}\n`);
    else this.#options.sink.write(`{"service":"${service}",${line.slice(1)}\n`);
  }

  /** For the DNS service: a name that cannot be resolved is answered with the reason. */
  async #writeWhy(): Promise<void> {
    const text = whyText(await this.status());
    if (text === this.#why) return;
    const path = `${this.#options.stateDirectory}/why.json`;
    try {
      writeFileSync(`${path}.new`, text, { mode: 0o644 });
      renameSync(`${path}.new`, path);
      this.#why = text;
    } catch (error) {
      this.#log.warn({ problem: (error as Error).message }, 'whyNotWritten');
    }
  }

  /** A box has no keyboard: whoever mends the file shall not have to say so as well. */
  #awaitMending(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    watchFile(this.#options.configFile, { interval: configPollMs }, () => void this.load());
  }

  #stopWaiting(): void {
    this.#waiting = false;
    unwatchFile(this.#options.configFile);
  }
}
