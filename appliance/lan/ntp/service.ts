import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NtpConfig } from '../../config/ntp.ts';
import { familyOf } from '../../lib/ip.ts';
import { chronyConf, chronydArguments, files } from './chrony-conf.ts';
import { type RestartEvent, type RestartState, started, step, wakeAt } from './restart.ts';
import { askOffset, judgeServer } from './sanity.ts';
import { clockSentence, parseSources, parseTracking, type Source, type Tracking } from './tracking.ts';

const run = promisify(execFile);

export type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface NtpStatus {
  readonly sentence: string;
  readonly tracking: Tracking | undefined;
  readonly sources: readonly Source[];
  readonly restarts: number;
}

/** Milliseconds. */
const timing = { client: 2_000, grace: 2_000 } as const;

/**
 * chronyd under one configuration: written, started, kept running, watched. It needs no process of its own; the
 * supervisor may hold it. Another configuration is another service.
 */
export class NtpService {
  readonly #config: NtpConfig;
  readonly #log: Log;
  /** The folder as chronyd sees it. */
  readonly #inside: string;
  #state: RestartState = { name: 'stopped' };
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restarts = 0;

  constructor(config: NtpConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    this.#inside = config.stateDirectoryInside ?? config.stateDirectory;
  }

  /** @throws what the disk says. */
  async start(): Promise<void> {
    const { stateDirectory } = this.#config;
    await mkdir(stateDirectory, { recursive: true, mode: 0o750 });
    const conf = join(stateDirectory, files.conf);
    await writeFile(`${conf}.new`, chronyConf(this.#config, this.#inside));
    await rename(`${conf}.new`, conf);
    this.#state = started(performance.now());
    this.#spawn();
  }

  /** Resolves when chronyd is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    const gone = child && new Promise((resolve) => child.once('exit', resolve));
    const forced = setTimeout(() => child?.kill('SIGKILL'), timing.grace);
    this.#event({ kind: 'stop' });
    await gone;
    clearTimeout(forced);
  }

  async status(): Promise<NtpStatus> {
    const [trackingText, sourcesText] = await Promise.all([this.#ask('tracking'), this.#ask('sources')]);
    const tracking = parseTracking(trackingText);
    const sources = parseSources(sourcesText);
    const sentence = clockSentence(tracking, sources, this.#config.localStratum);
    return { sentence, tracking, sources, restarts: this.#restarts };
  }

  /** Asks our own server over the wire, by a client that is not chrony's. */
  async probe(): Promise<{ ok: boolean; detail: string }> {
    const address = this.#config.listen.find((each) => familyOf(each) === 4);
    if (address === undefined) return this.#probeByStatus();
    try {
      const offset = await askOffset(address, this.#config.port);
      const judgement = judgeServer(offset);
      const detail =
        judgement.kind === 'sane' ? `${address} is ${(offset * 1000).toFixed(0)} ms from our clock` : judgement.why;
      return { ok: judgement.kind === 'sane', detail };
    } catch (error) {
      return { ok: false, detail: `${address} does not answer: ${String(error)}` };
    }
  }

  async #probeByStatus(): Promise<{ ok: boolean; detail: string }> {
    const { tracking, sentence } = await this.status();
    return { ok: tracking !== undefined, detail: sentence };
  }

  #spawn(): void {
    // The last one is dead, or dies with us; but until init has buried it, chronyd takes its number for a running one.
    rmSync(join(this.#config.stateDirectory, files.pid), { force: true });
    const [file = '', ...rest] = this.#config.daemonCommand;
    const args = [...rest, ...chronydArguments(this.#config, this.#inside, process.getuid?.() === 0)];
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    this.#child = child;
    let ended = false;
    const onEnd = (how: Record<string, unknown>) => {
      if (ended) return;
      ended = true;
      if (this.#state.name !== 'stopped') this.#log('chronydEnded', how);
      this.#child = undefined;
      this.#event({ kind: 'exited' });
    };
    child.on('error', (error) => onEnd({ problem: error.message }));
    child.on('exit', (code, signal) => onEnd({ code, signal }));
  }

  #event(event: RestartEvent): void {
    const { state, effects } = step(this.#state, event, { now: performance.now() });
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'terminate') this.#child?.kill('SIGTERM');
      else {
        this.#restarts += 1;
        this.#spawn();
      }
    }
    clearTimeout(this.#timer);
    const at = wakeAt(state);
    if (at === Number.POSITIVE_INFINITY) return;
    const delay = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#event({ kind: 'timer' }), delay);
  }

  /** Empty when chronyd does not answer. */
  async #ask(command: 'tracking' | 'sources'): Promise<string> {
    const [file = '', ...rest] = this.#config.clientCommand;
    const args = [...rest, '-h', join(this.#inside, files.socket), '-c', '-n', command];
    try {
      return (await run(file, args, { timeout: timing.client })).stdout;
    } catch {
      return '';
    }
  }
}
