import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DnsConfigInput, dnsConfig } from '../../../appliance/config/dns.ts';
import type { FromService, ToService } from '../../../appliance/lib/messages.ts';
import { until, type World } from './world.ts';

const main = fileURLToPath(new URL('../../../appliance/lan/dns/main.ts', import.meta.url));

/** Our DNS as the supervisor runs it: its own process, spoken to over IPC. */
export class Box {
  readonly world: World;
  readonly process: ChildProcess;
  readonly #heard: FromService[] = [];
  #asked = 0;

  private constructor(world: World, process: ChildProcess) {
    this.world = world;
    this.process = process;
    process.on('message', (message) => this.#heard.push(message as FromService));
  }

  /** @throws {Error} with the sentence of the service when it refuses the configuration. */
  static async start(world: World, config: DnsConfigInput): Promise<Box> {
    // As the image runs it: types are stripped once, by the compile cache, not in the memory of every start.
    const cache = `NODE_COMPILE_CACHE=${world.folder}/compile-cache`;
    const command = ['ip', 'netns', 'exec', world.namespace('home'), 'env', cache, process.execPath, main];
    const box = new Box(world, world.spawn(command, 'moat-dns', true));
    await box.#hear((message) => message.kind === 'started', 'started');
    await box.configure(config);
    return box;
  }

  async configure(config: DnsConfigInput): Promise<void> {
    const revision = ++this.#asked;
    this.#send({ kind: 'configure', revision, slice: dnsConfig.parse(config) });
    const answer = await this.#hear((message) => 'revision' in message && message.revision === revision, 'configured');
    if (answer.kind === 'refused') throw new Error(answer.problem);
  }

  async probe(): Promise<{ ok: boolean; detail: string }> {
    const id = ++this.#asked;
    this.#send({ kind: 'probe', id });
    const answer = await this.#hear((message) => 'id' in message && message.id === id, 'probed');
    if (answer.kind !== 'probed') throw new Error('not a probe');
    return answer;
  }

  async status(): Promise<BoxStatus> {
    const id = ++this.#asked;
    this.#send({ kind: 'describe', id });
    const answer = await this.#hear((message) => 'id' in message && message.id === id, 'status');
    if (answer.kind !== 'status') throw new Error('not a status');
    return answer.status as BoxStatus;
  }

  /** Octets: all that is resident, and what of it is not pages of files that other processes share (RssAnon). */
  get memory(): { resident: number; own: number } {
    const text = readFileSync(`/proc/${this.process.pid}/status`, 'latin1');
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
    return { resident: field('VmRSS'), own: field('RssAnon') };
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.world.stop(this.process, signal);
  }

  #send(message: ToService): void {
    this.process.send(message);
  }

  async #hear(matches: (message: FromService) => boolean, what: string): Promise<FromService> {
    const { value } = await until(what, async () => this.#heard.find(matches));
    return value;
  }
}

export interface BoxStatus {
  readonly zones: readonly {
    readonly name: string;
    readonly state: string;
    readonly serial?: number;
    readonly records?: number;
    readonly problem?: string;
    readonly transfers: { readonly whole: number; readonly incremental: number };
    /** Of a member: the catalog that lists it. */
    readonly catalog?: string;
    /** Of a catalog: what it lists that it may not bring. */
    readonly refused?: readonly string[];
  }[];
  readonly counters: Readonly<Record<string, number>>;
}
