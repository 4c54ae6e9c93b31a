import { isDeepStrictEqual } from 'node:util';
import type { DnsConfig } from '../../config/dns.ts';
import { parsePrefix } from '../../lib/ip.ts';
import type { AssignedResolver } from '../../lib/messages.ts';
import { Clients } from './clients.ts';
import { Front } from './front.ts';
import { type LeaseName, parseLeases } from './local/lan-names.ts';
import { closedWay, parseStatus, type Status, unknownStatus } from './local/why.ts';
import { type Notified, readNotify } from './notify.ts';
import { monotonic, wallSeconds } from './shell/clock.ts';
import { ForwardRunner } from './shell/forward-runner.ts';
import type { Incoming } from './shell/lan-datagrams.ts';
import { LanSockets } from './shell/lan-sockets.ts';
import type { Log } from './shell/log.ts';
import { WatchedJson } from './shell/watched-json.ts';
import { ZoneSet } from './shell/zone-set.ts';
import { routesOf, tablesOf } from './tables.ts';
import { headerOctets, Opcode } from './wire/numbers.ts';

/** Questions under way to outside: enough for a house that wakes up, little enough for its memory. */
const forwardLimits = { pending: 1000, waiters: 64 } as const;

/**
 * The DNS of one home under one configuration. Its tables are made anew whenever a zone, the leases or the status
 * change. Another configuration is another service: zones come back from the disk within milliseconds.
 */
export class DnsService {
  readonly #config: DnsConfig;
  readonly #sockets = new LanSockets({
    admit: (key, now) => this.#clients.admit(key, now),
    ready: (bytes, end, out, now) => this.#front.ready(bytes, end, out, now),
    message: (incoming) => this.#onMessage(incoming),
  });
  readonly #zones: ZoneSet;
  #routes: ReturnType<typeof routesOf>;
  readonly #forwarder: ForwardRunner;
  readonly #front: Front;
  readonly #clients: Clients;
  readonly #watched: WatchedJson[] = [];
  #leases: readonly LeaseName[] = [];
  #status: Status = unknownStatus;

  constructor(config: DnsConfig, log: Log) {
    this.#config = config;
    this.#zones = new ZoneSet(config, log, () => this.#refresh());
    this.#routes = routesOf(config);
    const { octets, staleSeconds } = config.cache;
    const limits = { ...forwardLimits, cacheOctets: octets, staleSeconds };
    this.#forwarder = new ForwardRunner(limits, () => this.#zones.nudge());
    const own = config.listen.map(({ address }) => parsePrefix(`${address}/${address.includes(':') ? 128 : 32}`));
    this.#clients = new Clients([...config.clients.map(parsePrefix), ...own], config.rateLimit);
    this.#front = new Front(this.#forwarder.cache, this.#tables());
  }

  /** Serves from here on. @throws when an address cannot be listened on; then close it. */
  async start(): Promise<void> {
    const config = this.#config;
    this.#zones.start();
    this.#refresh();
    this.#watch(config.leasesFile, (value) => this.#onLeases(parseLeases(value)));
    this.#watch(config.statusFile, (value) => this.#onStatus(parseStatus(value)));
    await this.#sockets.listen(config.listen);
  }

  /** Resolvers that companies have given, in the place of those before. What others have said of their names is forgotten. */
  assign(resolvers: readonly AssignedResolver[]): void {
    const routes = routesOf(this.#config, resolvers);
    if (isDeepStrictEqual(routes, this.#routes)) return;
    this.#routes = routes;
    this.#forwarder.cache.clear();
    this.#refresh();
  }

  get listening(): LanSockets['listening'] {
    return this.#sockets.listening;
  }

  close(): void {
    this.#sockets.close();
    this.#forwarder.close();
    for (const watched of this.#watched) watched.close();
    this.#zones.stop();
  }

  describe(): Record<string, unknown> {
    return {
      listening: this.#sockets.listening,
      zones: this.#zones.describe(),
      forwarder: this.#forwarder.describe(),
      counters: this.#front.counters,
      leases: this.#leases.length,
      memoryOctets: process.memoryUsage.rss(),
    };
  }

  #watch(path: string | undefined, onChange: (value: unknown) => void): void {
    if (path !== undefined) this.#watched.push(new WatchedJson(path, onChange));
  }

  #onLeases(leases: readonly LeaseName[]): void {
    this.#leases = leases;
    this.#refresh();
  }

  /** When a way opens again, nothing waits for its next timer: zones are refreshed soon. */
  #onStatus(status: Status): void {
    const opened = closedWay(this.#status, 'tunnel') !== undefined && closedWay(status, 'tunnel') === undefined;
    this.#status = status;
    for (const way of ['wan', 'tunnel'] as const) {
      this.#forwarder.event({ kind: 'way', way, closed: closedWay(status, way) });
    }
    if (opened) this.#zones.nudge();
    this.#refresh();
  }

  #refresh(): void {
    this.#front.replaceTables(this.#tables());
  }

  #tables(): ReturnType<typeof tablesOf> {
    const sources = { routes: this.#routes, leases: this.#leases, status: this.#status };
    return tablesOf({ config: this.#config, secondaries: this.#zones.served, ...sources });
  }

  #onMessage(incoming: Incoming): void {
    const { bytes, tcp, admitted, reply } = incoming;
    if (admitted !== 'yes') {
      this.#notAdmitted(incoming);
      return;
    }
    const outcome = this.#front.handle(bytes, tcp, monotonic());
    if (outcome.kind === 'answer') reply(outcome.bytes);
    else if (outcome.kind === 'notify') this.#onNotify(incoming);
    else if (outcome.kind === 'forward') {
      const { key, route, query, prefix, limit } = outcome;
      this.#forwarder.event({ kind: 'ask', key, route, waiter: { query, limit, prefix, reply } });
    }
  }

  /** Primaries are no clients: all they may say is NOTIFY. */
  #notAdmitted(incoming: Incoming): void {
    const { bytes, admitted } = incoming;
    const { counters } = this.#front;
    const opcode = bytes.length >= headerOctets ? (bytes.readUInt16BE(2) >> 11) & 15 : undefined;
    if (admitted === 'tooMuch') counters.tooMuch += 1;
    else if (opcode === Opcode.NOTIFY) this.#onNotify(incoming);
    else counters.strangers += 1;
  }

  #onNotify({ bytes, from, reply }: Incoming): void {
    const notified: Notified | undefined = readNotify(bytes, from, this.#zones.primaries, wallSeconds());
    if (!notified) return;
    reply(notified.answer);
    const { zone } = notified;
    if (!zone) return;
    const serial = zone.serial === undefined ? {} : { serial: zone.serial };
    this.#zones.event(zone.origin, { kind: 'notify', from, ...serial });
  }
}
