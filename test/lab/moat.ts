import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askControl } from '../../appliance/supervisor/control.ts';
import type { ApplianceStatus } from '../../appliance/supervisor/status.ts';
import type { PeerStatus, TunnelStatus } from '../../appliance/tunnel/status.ts';
import type { Host } from './host.ts';
import { type Finished, must, sleep } from './processes.ts';
import type { Running } from './running.ts';

export const moatProgram = fileURLToPath(new URL('../../appliance/bin/moat', import.meta.url));

/** As `moat run` reads it; the schema, not this type, says what is right. */
export type MoatConfig = Readonly<Record<string, unknown>>;

export interface MoatOptions {
  readonly config: MoatConfig;
  /** Runs before moat, in the same mount namespace of its own: to take something from it. */
  readonly spoil?: string;
  readonly logLevel?: string;
  /** Of an earlier run, with what it has compiled and confirmed; a fresh one when not given. */
  readonly stateDirectory?: string;
}

let instances = 0;

/** One moat in a lab host: home or portal, as its configuration says. */
export class Moat {
  readonly host: Host;
  readonly process: Running;
  readonly #configFile: string;
  readonly #stateDirectory: string;

  private constructor(host: Host, process: Running, configFile: string, stateDirectory: string) {
    this.host = host;
    this.process = process;
    this.#configFile = configFile;
    this.#stateDirectory = stateDirectory;
  }

  /** Starts it and waits until it answers `status`; the tunnel may still be down. */
  static async start(host: Host, options: MoatOptions): Promise<Moat> {
    instances += 1;
    const folder = join(host.home.temporary, `moat-${host.name}-${instances}`);
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify(options.config, null, 2), { mode: 0o600 });
    const level = options.logLevel ? ['--log-level', options.logLevel] : [];
    const state = options.stateDirectory ?? join(folder, 'state');
    const command = [moatProgram, 'run', '--config', file, '--state', state, ...level];
    const spoiled = ['unshare', '--mount', 'sh', '-ec', `${options.spoil}\nexec "$@"`, 'sh', ...command];
    const process = host.start('moat', options.spoil ? spoiled : command);
    const moat = new Moat(host, process, file, state);
    await moat.#answering();
    return moat;
  }

  /** As somebody at home starts it: with a state directory and no configuration of its own, or with a portal's. */
  static async startIn(host: Host, stateDirectory: string, words: readonly string[] = []): Promise<Moat> {
    const process = host.start('moat', [moatProgram, 'run', '--state', stateDirectory, ...words]);
    const moat = new Moat(host, process, join(stateDirectory, 'portal', 'moat.json'), stateDirectory);
    await moat.#answering();
    return moat;
  }

  /** Another life of a box whose last one has ended: the same configuration, the same state directory. */
  async startAgain(): Promise<Moat> {
    const command = [moatProgram, 'run', '--config', this.#configFile, '--state', this.#stateDirectory];
    const moat = new Moat(this.host, this.host.start('moat', command), this.#configFile, this.#stateDirectory);
    await moat.#answering();
    return moat;
  }

  /** By its control socket: a process for each look would cost more than the tunnel. @throws {Error} when it does not answer. */
  async status(): Promise<ApplianceStatus> {
    const answer = await askControl(this.#stateDirectory, { kind: 'status' });
    if (!answer.ok) throw new Error(`${answer.problem} (log: ${this.process.log})`);
    return answer.status;
  }

  async tunnel(): Promise<TunnelStatus> {
    const { tunnel } = await this.status();
    if (!tunnel) throw new Error('moat has no tunnel: its configuration is refused');
    return tunnel;
  }

  /** The process of a service. @throws {Error} when it has none after ten seconds. */
  async servicePid(name: string): Promise<number> {
    const of = ({ services }: ApplianceStatus) => services.find((service) => service.name === name)?.pid;
    return of(await this.until(`running ${name}`, (status) => typeof of(status) === 'number', 10_000)) ?? 0;
  }

  /** What the processes of these services have resident, pages shared with others counted in each. */
  async residentMegabytes(...names: readonly string[]): Promise<number> {
    const pids = await Promise.all(names.map((name) => this.servicePid(name)));
    const kilobytes = pids.map((pid) => {
      const [, resident] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
      return Number(resident);
    });
    return kilobytes.reduce((sum, each) => sum + each / 1000, 0);
  }

  /** The only peer, or the one of that name. */
  async peer(name?: string): Promise<PeerStatus> {
    const { peers } = await this.tunnel();
    const peer = name === undefined ? peers[0] : peers.find((candidate) => candidate.name === name);
    if (!peer) throw new Error(`moat has no peer '${name ?? ''}'`);
    return peer;
  }

  /** Resolves with the status that first `holds`. @throws {Error} that shows the last one after `timeout` ms. */
  async until(what: string, holds: (status: ApplianceStatus) => boolean, timeout = 15_000): Promise<ApplianceStatus> {
    const deadline = performance.now() + timeout;
    while (true) {
      const status = await this.status();
      if (holds(status)) return status;
      if (performance.now() > deadline) {
        throw new Error(
          `${this.host.name}: not ${what} after ${timeout} ms: ${JSON.stringify(status.problems)}, ${JSON.stringify(status.tunnel?.peers ?? status)}`,
        );
      }
      await sleep(50);
    }
  }

  /** Until the configuration in force has proven itself, and none is on trial. */
  async settled(timeout?: number): Promise<ApplianceStatus> {
    return this.until('settled', ({ configuration }) => configuration.state === 'settled', timeout);
  }

  /** Until all its peers are up. */
  async up(timeout?: number): Promise<void> {
    await this.until('up', ({ tunnel }) => tunnel?.peers.every(({ state }) => state === 'up') ?? false, timeout);
  }

  /** What `moat rekey` asks for, of all peers or of one. */
  async rekey(what: 'child' | 'ike', peer: string | null = null): Promise<void> {
    const answer = await askControl(this.#stateDirectory, { kind: 'rekey', what, peer });
    if (!answer.ok) throw new Error(answer.problem);
  }

  /** Writes another configuration and has it read. */
  async reconfigure(config: MoatConfig): Promise<Finished> {
    writeFileSync(this.#configFile, JSON.stringify(config, null, 2));
    return this.command('reload');
  }

  /** `moat WORD... --state DIR`. */
  command(...words: readonly string[]): Promise<Finished> {
    return this.host.run([moatProgram, ...words, '--state', this.#stateDirectory]);
  }

  get stateDirectory(): string {
    return this.#stateDirectory;
  }

  get log(): string {
    return readFileSync(this.process.log, 'utf8');
  }

  /** Graceful: says goodbye to its peers. */
  async stop(): Promise<void> {
    await this.process.stop(5000);
  }

  async #answering(): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      if (this.process.hasExited) throw new Error(`moat ended at once (log: ${this.process.log})`);
      if (await this.status().catch(() => undefined)) return;
      await sleep(25);
    }
    throw new Error(`moat does not answer on its control socket (log: ${this.process.log})`);
  }
}

/** Runs `moat check` on a configuration. */
export async function checkConfig(host: Host, config: MoatConfig | string, name = 'check.json'): Promise<Finished> {
  const file = join(host.home.temporary, name);
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return host.run([moatProgram, 'check', file]);
}

/** Builds the addon unless it is fresh; who comes second waits. */
export async function buildAddon(): Promise<void> {
  const native = fileURLToPath(new URL('../../native/', import.meta.url));
  await must(['flock', `${native}Makefile`, 'make', '-s', '-C', native, 'addon'], { timeout: 600_000 });
}
