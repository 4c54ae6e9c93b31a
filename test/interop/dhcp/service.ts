import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDhcpSlice } from '../../../appliance/config/dhcp.ts';
import type { FromService, ToService } from '../../../appliance/lib/messages.ts';
import { run } from '../../lab/processes.ts';
import type { Network } from './network.ts';

const main = join(import.meta.dirname, '../../../appliance/lan/dhcp/main.ts');
const nobody = 65534;
/** All that the process may do beyond any user: low ports, and sockets for ARP, frames and ICMPv6. */
const capabilities = '-all,+net_bind_service,+net_raw';
const confined = [
  ...['setpriv', '--bounding-set', capabilities, '--inh-caps', capabilities, '--ambient-caps', capabilities],
  ...['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups', '--no-new-privs'],
];

export interface ExportedLease {
  readonly address: string;
  readonly mac: string;
  readonly hostname: string;
}

export interface Status {
  readonly counters: Readonly<Record<string, number>>;
  readonly pools: readonly { zone: string; bound: number; exhausted: boolean }[];
}

/** The real process, as the supervisor would start it: own user, two capabilities, messages over IPC. */
export class Service {
  readonly state: string;
  readonly #network: Network;
  readonly #cache: string;
  #child: ChildProcess | undefined;
  #id = 0;
  #waiting: ((message: FromService) => void)[] = [];
  log = '';

  constructor(network: Network, base: string) {
    this.#network = network;
    this.state = join(base, 'state');
    this.#cache = join(base, 'compile-cache');
    for (const directory of [this.state, this.#cache]) {
      mkdirSync(directory, { recursive: true });
      chownSync(directory, nobody, nobody);
    }
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Milliseconds from the start of the process until it serves. */
  async start(slice: object): Promise<number> {
    const began = performance.now();
    const command = [process.execPath, '--max-semi-space-size=1', main, '--state', this.state];
    const readable = (await run([...confined, 'test', '-r', main])).code === 0;
    const words = ['netns', 'exec', this.#network.name('server'), ...(readable ? confined : []), ...command];
    const env = { ...process.env, NODE_COMPILE_CACHE: this.#cache };
    const child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], env, serialization: 'advanced' });
    this.#child = child;
    child.stdout?.on('data', (text: Buffer) => {
      this.log = (this.log + text).slice(-20_000);
    });
    child.on('message', (message: FromService) => {
      const [next, ...rest] = this.#waiting;
      this.#waiting = rest;
      next?.(message);
    });
    await this.#answer();
    await this.configure(slice);
    return performance.now() - began;
  }

  #answer(): Promise<FromService> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error(`the service ended\n${this.log}`));
      this.#child?.once('exit', gone);
      this.#waiting.push((message) => {
        this.#child?.off('exit', gone);
        resolve(message);
      });
    });
  }

  async #ask(message: ToService): Promise<FromService> {
    if (!this.running) throw new Error(`the service is not running\n${this.log}`);
    const answer = this.#answer();
    this.#child?.send(message);
    return answer;
  }

  async configure(config: object): Promise<void> {
    const slice = parseDhcpSlice(config);
    const answer = await this.#ask({ kind: 'configure', revision: 1, slice });
    if (answer.kind !== 'configured') throw new Error(JSON.stringify(answer));
  }

  async probe(): Promise<{ ok: boolean; detail: string }> {
    this.#id += 1;
    const answer = await this.#ask({ kind: 'probe', id: this.#id });
    if (answer.kind !== 'probed') throw new Error(JSON.stringify(answer));
    return answer;
  }

  async status(): Promise<Status> {
    this.#id += 1;
    const answer = await this.#ask({ kind: 'describe', id: this.#id });
    if (answer.kind !== 'status') throw new Error(JSON.stringify(answer));
    return answer.status as Status;
  }

  leases(): ExportedLease[] {
    return JSON.parse(readFileSync(join(this.state, 'leases.json'), 'utf8')) as ExportedLease[];
  }

  journal(): Buffer {
    return readFileSync(join(this.state, 'leases.journal'));
  }

  /** Octets of /proc/PID/status, in MB. */
  residentMb(): number {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kb) / 1000;
  }

  async kill(): Promise<void> {
    await this.#end(() => this.#child?.kill('SIGKILL'));
  }

  /** @throws {Error} when it does not exit with 0. */
  async stop(): Promise<void> {
    const code = await this.#end(() => this.#child?.send({ kind: 'stop' }));
    if (code !== 0) throw new Error(`the service ended with ${code}\n${this.log}`);
  }

  #end(how: () => void): Promise<number | null> {
    return new Promise((resolve) => {
      if (!this.running) return resolve(null);
      this.#child?.once('exit', (code) => resolve(code));
      how();
    });
  }
}
