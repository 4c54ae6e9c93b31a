import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import type { DhcpSlice } from '../../config/dhcp.ts';
import type { FromService, ToService } from '../../lib/messages.ts';
import { realDisk } from './disk.ts';
import { Exchange, poolStatus } from './exchange.ts';
import { exportLeases, writeExport } from './export.ts';
import { Journal } from './files.ts';
import { ipv4ToNumber } from './ipv4.ts';
import { isActive, LeaseTable } from './leases.ts';
import { Links } from './links.ts';
import { log } from './log.ts';
import { inRanges, type Network, networksOf, rangeSize } from './network.ts';
import { Seldom } from './seldom.ts';

const checkEveryMs = 2_000;
/** A step of the time of day that makes the times in `leases.json` wrong enough to write them again. */
const clockStepMs = 2_000;

/** The DHCP service: sockets, disk, timers and the supervisor's messages around the pure parts. */
export class DhcpService {
  readonly #directory: string;
  readonly #leases = new LeaseTable();
  readonly #journal: Journal;
  readonly #links: Links;
  readonly #exchange: Exchange;
  readonly #seldom = new Seldom();
  readonly #clockAtStart: number;
  readonly #startedAt = performance.now();
  #slice: DhcpSlice | undefined;
  #given: string | undefined;
  #networks: readonly Network[] = [];
  #timer: NodeJS.Timeout | undefined;
  #exportTimer: NodeJS.Timeout | undefined;
  #exportedOffset = 0;
  #exportTookMs = 0;
  #exportAgainAt = Number.POSITIVE_INFINITY;
  #exporting: Promise<void> = Promise.resolve();
  readonly #checks: NodeJS.Timeout;

  private constructor(directory: string, clock: number) {
    this.#directory = directory;
    this.#clockAtStart = clock;
    this.#journal = new Journal(realDisk, journalPath(directory), {
      leases: () => this.#leases,
      clock: () => this.#now(),
    });
    this.#links = new Links((interfaceName) => ({
      received: (octets) => this.#afterwards(() => this.#exchange.receive(interfaceName, octets, this.#now())),
      arp: (frame) => this.#afterwards(() => this.#exchange.heard(interfaceName, frame, this.#now())),
      failed: (problem) => this.#failed(interfaceName, problem),
    }));
    this.#exchange = new Exchange(this.#leases, {
      commit: (leases) => this.#journal.commit(leases).then(() => this.#exportSoon()),
      send: (network, octets, to) => this.#links.get(network.interfaceName)?.send(octets, to),
      ask: (interfaceName, address) => this.#links.get(interfaceName)?.ask(address),
      note: (event, fields) => log('warn', event, fields),
    });
    this.#checks = setInterval(() => this.#check(), checkEveryMs);
  }

  /** Reads the leases of the run before. `directory` must exist and be ours to write. */
  static async start(directory: string): Promise<DhcpService> {
    const found = await Journal.read(realDisk, journalPath(directory));
    const service = new DhcpService(directory, found.clock);
    for (const lease of found.leases) service.#leases.put(lease);
    const { records, damaged, torn, clock } = found;
    log(damaged > 0 ? 'warn' : 'info', 'leasesRead', { leases: found.leases.length, records, damaged, torn, clock });
    service.#exportSoon();
    return service;
  }

  async handle(message: ToService): Promise<FromService | undefined> {
    switch (message.kind) {
      case 'configure':
        return this.configure(message.revision, message.slice as DhcpSlice);
      case 'probe': {
        const { ok, detail } = await this.probe();
        return { kind: 'probed', id: message.id, ok, detail };
      }
      case 'describe':
        return { kind: 'status', id: message.id, status: this.status() };
      case 'stop':
        await this.stop();
        return undefined;
    }
  }

  /** The slice has been through `parseDhcpSlice`: by the supervisor, or by main.ts. */
  configure(revision: number, slice: DhcpSlice): FromService {
    const text = JSON.stringify(slice);
    if (text === this.#given) return { kind: 'configured', revision };
    try {
      this.#apply(slice);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      log('warn', 'refused', { revision, problem });
      return { kind: 'refused', revision, problem };
    }
    this.#given = text;
    // Compiled code is kept even if we are killed: the next start needs neither the time nor the memory for it.
    flushCompileCache();
    log('info', 'configured', { revision, zones: this.#networks.map(({ zone }) => zone) });
    return { kind: 'configured', revision };
  }

  #apply(slice: DhcpSlice): void {
    this.#networks = networksOf(slice);
    this.#slice = slice;
    this.#forgetForeign();
    const { probeMilliseconds, quarantineSeconds } = slice;
    this.#exchange.configure({
      networks: this.#networks,
      probeMs: probeMilliseconds,
      quarantineMs: quarantineSeconds * 1000,
    });
    this.#links.configure(slice);
    this.#exportSoon();
  }

  /** Memories of ended leases for which there is no place any more; running ones stay, the configuration may come back. */
  #forgetForeign(): void {
    const now = this.#now();
    for (const lease of [...this.#leases]) {
      const network = this.#networks.find(({ zone }) => zone === lease.zone);
      const number = ipv4ToNumber(lease.address);
      const placed = network && (inRanges(network, number) || network.reservedAddresses.has(number));
      if (!placed && !isActive(lease, now)) this.#leases.remove(lease);
    }
  }

  /** Whether the work can be done: sockets on every interface, and a lease file that takes a record. */
  async probe(): Promise<{ ok: boolean; detail: string }> {
    if (!this.#slice) return { ok: false, detail: 'not configured' };
    this.#links.check();
    const problems = this.#links.problems();
    const ageMs = await this.#journal.prove().catch((error: unknown) => problems.push(`lease file: ${error}`));
    const pools = this.#pools().map(({ zone, bound, size }) => `${zone} ${bound} of ${size} addresses leased`);
    const detail =
      problems.length > 0
        ? problems.join('; ')
        : `${pools.join(', ')}; lease file written ${Math.floor(ageMs / 60_000)} min ago`;
    return { ok: problems.length === 0, detail };
  }

  status(): object {
    return {
      pools: this.#pools(),
      counters: this.#exchange.counters,
      interfaces: this.#links.status(),
      storageFailures: this.#journal.failures,
    };
  }

  #pools() {
    return this.#networks.map((network) => {
      const status = poolStatus(this.#leases, network.zone, this.#now());
      const size = rangeSize(network);
      const exhausted = size > 0 && this.#leases.findFree(network, '', this.#now()) === undefined;
      return { ...status, size, exhausted };
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#checks);
    clearTimeout(this.#timer);
    clearTimeout(this.#exportTimer);
    this.#links.close();
    await this.#journal.commit([]).catch(() => undefined);
    await this.#journal.close();
    await this.#exporting;
    await this.#export();
  }

  #failed(interfaceName: string, problem: string): void {
    if (!this.#seldom.allows(`linkFailed ${interfaceName}`, this.#now())) return;
    log('warn', 'linkFailed', { interface: interfaceName, problem });
  }

  /** Lease clock, whole milliseconds (see journal.ts). */
  #now(): number {
    return this.#clockAtStart + Math.floor(performance.now() - this.#startedAt);
  }

  #afterwards(work: () => void): void {
    work();
    clearTimeout(this.#timer);
    const wakeAt = this.#exchange.wakeAt();
    if (wakeAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, wakeAt - this.#now());
    this.#timer = setTimeout(() => this.#afterwards(() => this.#exchange.tick(this.#now())), wait);
  }

  #check(): void {
    this.#links.check();
    const stepped = Math.abs(Date.now() - performance.now() - this.#exportedOffset) > clockStepMs;
    if (stepped || this.#now() >= this.#exportAgainAt) this.#exportSoon();
  }

  /** Together with what happens in the next moments; with many leases they are longer, so that writing stays a twentieth of the work. */
  #exportSoon(): void {
    const waitMs = Math.max(100, 20 * this.#exportTookMs);
    this.#exportTimer ??= setTimeout(() => {
      this.#exportTimer = undefined;
      this.#exporting = this.#exporting.then(() => this.#export());
    }, waitMs);
  }

  async #export(): Promise<void> {
    const startedAt = performance.now();
    const leases = exportLeases(this.#leases, this.#now(), Date.now());
    this.#exportedOffset = Date.now() - performance.now();
    const earliest = leases.reduce((least, { expiresAt }) => Math.min(least, expiresAt), Number.POSITIVE_INFINITY);
    this.#exportAgainAt = earliest - Date.now() + this.#now() + 1;
    try {
      await writeExport(join(this.#directory, 'leases.json'), leases);
    } catch (error) {
      log('error', 'exportFailed', { error: String(error) });
    }
    this.#exportTookMs = performance.now() - startedAt;
  }
}

function journalPath(directory: string): string {
  return join(directory, 'leases.journal');
}
