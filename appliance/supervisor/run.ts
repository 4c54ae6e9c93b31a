/** `moat run`: one process that keeps the tunnel alive and answers on the control socket until it is told to stop. */
import { unwatchFile, watchFile } from 'node:fs';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Logger, pino } from 'pino';
import { loadConfig } from '../config/files.ts';
import { ConfigError } from '../config/problems.ts';
import { version } from '../lib/version.ts';
import { TunnelService } from '../tunnel/service.ts';
import { type ControlAnswer, type ControlRequest, serveControl } from './control.ts';
import { type ApplianceStatus, applianceStatus } from './status.ts';

export interface RunOptions {
  readonly config: string;
  readonly state: string;
  readonly logLevel: string;
}

const configPollMs = 1000;

class Appliance {
  readonly #configFile: string;
  readonly #log: Logger;
  #tunnel: TunnelService | null = null;
  #configProblem: string | null = null;

  constructor(configFile: string, log: Logger) {
    this.#configFile = configFile;
    this.#log = log;
  }

  /** Reads the configuration and puts it in force, or keeps what there was. */
  async load(): Promise<void> {
    try {
      const loaded = loadConfig(this.#configFile);
      this.#configProblem = null;
      unwatchFile(this.#configFile);
      const { role, name, revision } = loaded.config;
      this.#log.info({ role, name, revision, file: this.#configFile }, 'configured');
      if (this.#tunnel) return await this.#tunnel.reconfigure(loaded);
      this.#tunnel = new TunnelService(loaded, this.#log.child({ service: 'tunnel' }));
      this.#tunnel.start();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#configProblem = error.message;
      this.#log.error({ file: this.#configFile, problems: error.problems }, 'configurationRefused');
      this.#awaitMending();
    }
  }

  async answer(request: ControlRequest): Promise<ControlAnswer> {
    switch (request.kind) {
      case 'status':
        break;
      case 'rekey':
        this.#tunnel?.rekey(request.what, request.peer);
        break;
      case 'reload':
        await this.load();
        if (this.#configProblem !== null) return { ok: false, problem: this.status().sentence };
        break;
      default:
        return { ok: false, problem: 'unknown request' };
    }
    return { ok: true, status: this.status() };
  }

  status(): ApplianceStatus {
    return applianceStatus({
      version,
      uptimeSeconds: Math.floor(performance.now() / 1000),
      configFile: this.#configFile,
      residentOctets: process.memoryUsage.rss(),
      configProblem: this.#configProblem,
      tunnel: this.#tunnel?.status() ?? null,
    });
  }

  async stop(): Promise<void> {
    unwatchFile(this.#configFile);
    await this.#tunnel?.stop();
  }

  /** A box has no keyboard: whoever mends the file shall not have to say so as well. */
  #awaitMending(): void {
    unwatchFile(this.#configFile);
    watchFile(this.#configFile, { interval: configPollMs }, () => void this.load());
  }
}

/** Runs until SIGTERM or SIGINT. @throws {Error} when the control socket cannot be served. */
export async function run(options: RunOptions): Promise<void> {
  // Synchronous lines to stdout: journald bounds them, and a crash loses none.
  const log = pino({ level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const appliance = new Appliance(resolve(options.config), log);
  const control = await serveControl(options.state, (request) => appliance.answer(request));
  process.on('SIGHUP', () => void appliance.load());
  await appliance.load();
  await new Promise((stopped) => {
    process.once('SIGTERM', stopped);
    process.once('SIGINT', stopped);
  });
  log.info('stopping');
  await appliance.stop();
  control.close();
  log.info('stopped');
}
