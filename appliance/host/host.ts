/** The host's network as the configuration wants it: addresses, settings and firewall, applied whole and idempotently. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Config } from '../config/schema.ts';
import { addressCommands, sysctlsFor } from './addresses.ts';
import { type ClientLine, WildClients } from './client-runner.ts';
import { wildClients } from './clients.ts';
import { firewallText, tableName } from './firewall.ts';
import { type Link, type Placement, placeZones } from './interfaces.ts';
import { readLinks, readRouters } from './links.ts';
import { applyFirewall, firewallPresent } from './nft.ts';
import { overlapProblems } from './overlap.ts';
import { type QueueWish, queueWishes } from './queue.ts';

const run = promisify(execFile);

export interface HostView {
  readonly links: readonly Link[];
  readonly routers: readonly string[];
  readonly placement: Placement;
  /** Sentences: an interface that is missing, networks that overlap. */
  readonly problems: readonly string[];
}

export class HostNetwork {
  readonly #folder: (zone: string) => string;
  readonly #clients: WildClients;
  readonly #queues = new Map<string, string>();
  #turn: Promise<void> = Promise.resolve();
  #rules = '';
  #view: HostView | null = null;

  /** `line` hears what the wild side's clients say. */
  constructor(stateDirectory: string, line: ClientLine) {
    this.#folder = (zone) => `${stateDirectory}/wild/${zone}`;
    this.#clients = new WildClients(this.#folder, line);
  }

  get view(): HostView | null {
    return this.#view;
  }

  /** What was seen last of everything but the tunnel: equal texts are equal networks. */
  outside({ tunnel }: Config): string {
    const links = this.#view?.links.filter(({ name }) => name !== tunnel.interface) ?? [];
    const routers = this.#view?.routers.filter((router) => !router.endsWith(` ${tunnel.interface}`)) ?? [];
    return JSON.stringify([links, routers]);
  }

  /** Sentences, of now. */
  problems(): string[] {
    return [...this.#clients.problems(), ...(this.#view?.problems ?? [])];
  }

  /** Ends the wild side's clients; rules and addresses stay. */
  async close(): Promise<void> {
    await this.#clients.close();
  }

  /** Reads what is there and changes nothing. @throws {Error} with a sentence. */
  async look(config: Config): Promise<HostView> {
    const [links, routers] = await Promise.all([readLinks(), readRouters()]);
    const placement = placeZones(config.zones, links);
    const problems = [...placement.problems, ...overlapProblems(config, placement, links)];
    this.#view = { links, routers, placement, problems };
    return this.#view;
  }

  /** What the kernel does not have is no fault: there is the next best, or the queue that there was. */
  async #shorten(wishes: readonly QueueWish[]): Promise<void> {
    for (const { device, attempts } of wishes) {
      const key = `${device} ${attempts.join()}`;
      if (this.#queues.get(device) === key || !existsSync(`/sys/class/net/${device}`)) continue;
      let done = false;
      for (const words of attempts) done ||= await tc('replace', device, words);
      // An earlier configuration's narrow queue must not stay.
      if (!done) await tc('del', device, '');
      this.#queues.set(device, key);
    }
    // Another interface of the same name begins with the kernel's own queue.
    for (const device of this.#queues.keys()) if (!existsSync(`/sys/class/net/${device}`)) this.#queues.delete(device);
  }

  /** One after the other: what was asked last is what holds. @throws {Error} with a sentence. */
  apply(config: Config): Promise<void> {
    const turn = this.#turn.then(() => this.#apply(config));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** The firewall first: what it forbids is never possible for an instant. */
  async #apply(config: Config): Promise<void> {
    const { links: before, placement } = await this.look(config);
    if (config.zones.length > 0) {
      const rules = firewallText(config, placement.devices);
      if (rules !== this.#rules || !(await firewallPresent(tableName))) {
        await applyFirewall(rules);
        this.#rules = rules;
      }
      writeSysctls(sysctlsFor(config.zones, placement));
    }
    const clients = wildClients(config.zones, placement, this.#folder);
    // A client that ends takes its addresses and routes along.
    const links = (await this.#clients.endOthers(clients)) ? (await this.look(config)).links : before;
    await ipBatch(addressCommands(config.zones, placement, links));
    this.#clients.start(clients, addressed(placement, links));
    await this.#shorten(queueWishes(config.zones, placement));
  }
}

/** Zones whose interface has an address of the world. */
function addressed({ devices }: Placement, links: readonly Link[]): ReadonlySet<string> {
  const has = (device: string) =>
    links.some(({ name, addresses }) => name === device && addresses.some(({ scope }) => scope === 'global'));
  return new Set([...devices].flatMap(([zone, device]) => (has(device) ? [zone] : [])));
}

function tc(verb: 'replace' | 'del', device: string, words: string): Promise<boolean> {
  return run('tc', ['qdisc', verb, 'dev', device, 'root', ...words.split(' ').filter((word) => word !== '')]).then(
    () => true,
    () => false,
  );
}

/** An interface that is not there has no settings; it gets them when it comes. */
function writeSysctls(settings: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(settings)) {
    const path = `/proc/sys/net/${name}`;
    if (existsSync(path) && readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
  }
}

async function ipBatch(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const batch = run('ip', ['-batch', '-']);
  batch.child.stdin?.end(`${lines.join('\n')}\n`);
  try {
    await batch;
  } catch (error) {
    const [first = ''] = String((error as { stderr?: string }).stderr ?? error).split('\n');
    throw new Error(`the addresses could not be set: ${first}`);
  }
}
