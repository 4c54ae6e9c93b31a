import type { DnsConfig } from '../../../config/dns.ts';
import type { Served } from '../resolve.ts';
import type { SecondaryEvent } from '../secondary/secondary.ts';
import { secondaryConfig, type ZoneConfig } from '../tables.ts';
import { type Name, nameFromText, nameToText } from '../wire/name.ts';
import { type Ede, ExtendedError } from '../wire/numbers.ts';
import { type Catalog, type Listed, membership, readCatalog } from '../zone/catalog.ts';
import type { Zone } from '../zone/zone.ts';
import { sentenceFor } from './errors.ts';
import type { Log } from './log.ts';
import { ZoneRunner } from './zone-runner.ts';
import { ZoneStore } from './zone-store.ts';

interface Secondary {
  readonly zone: ZoneConfig;
  readonly runner: ZoneRunner;
}

/** What a catalog said when it was last readable. `read`: the zone that was judged, good or broken. */
interface Reading {
  readonly read: Zone | undefined;
  readonly catalog: Catalog;
  readonly problem: string | undefined;
}

const nothingRead: Reading = { read: undefined, catalog: { members: new Map(), refused: [] }, problem: undefined };

/** All secondary zones of one configuration: those that it names, and those that its catalogs list at the moment. */
export class ZoneSet {
  readonly #config: DnsConfig;
  readonly #store: ZoneStore;
  readonly #log: Log;
  readonly #onChange: () => void;
  readonly #configured = new Map<Name, Secondary>();
  readonly #members = new Map<Name, Secondary & Listed>();
  readonly #readings = new Map<Name, Reading>();

  /** `onChange`: what is served has changed. */
  constructor(config: DnsConfig, log: Log, onChange: () => void) {
    this.#config = config;
    this.#store = new ZoneStore(config.stateDirectory);
    this.#log = log;
    this.#onChange = onChange;
  }

  /** Serves from here on whatever the disk holds. */
  start(): void {
    for (const zone of this.#config.zones) {
      const runner = this.#runner(zone, nameFromText(zone.name));
      this.#configured.set(runner.config.origin, { zone, runner });
    }
    this.#followCatalogs();
  }

  stop(): void {
    for (const { runner } of this.#all()) runner.stop();
  }

  nudge(): void {
    for (const { runner } of this.#all()) runner.event({ kind: 'nudge' });
  }

  /** An event for the zone of that name; no such zone, no event. */
  event(origin: Name, event: SecondaryEvent): void {
    this.#find(origin)?.runner.event(event);
  }

  /** Who may send NOTIFY for which zone. */
  get primaries(): Map<Name, ZoneRunner['config']> {
    return new Map([...this.#all()].map(({ runner }) => [runner.config.origin, runner.config]));
  }

  /** Catalogs are for us, not for clients (RFC 9432 6). */
  get served(): Map<Name, Served> {
    const answered = [...this.#all()].filter(({ zone, runner }) => !this.#isCatalog({ zone, runner }));
    return new Map(answered.map((each) => [each.runner.config.origin, servedBy(each)]));
  }

  describe(): readonly Record<string, unknown>[] {
    const members = [...this.#members.values()];
    return [
      ...[...this.#configured.values()].map(({ runner }) => ({ ...runner.describe(), ...this.#reading(runner) })),
      ...members.map(({ runner, catalog }) => ({ ...runner.describe(), catalog: nameToText(catalog) })),
    ];
  }

  #reading({ config }: ZoneRunner): Record<string, unknown> {
    const reading = this.#readings.get(config.origin);
    if (!reading) return {};
    const { catalog, problem } = reading;
    return { members: catalog.members.size, refused: catalog.refused.map(nameToText), ...(problem && { problem }) };
  }

  *#all(): Generator<Secondary> {
    yield* this.#configured.values();
    yield* this.#members.values();
  }

  #find(origin: Name): Secondary | undefined {
    return this.#configured.get(origin) ?? this.#members.get(origin);
  }

  /** A member is served as its catalog is, and is no catalog itself. */
  #isCatalog({ zone, runner }: Secondary): boolean {
    return zone.catalog !== undefined && this.#configured.has(runner.config.origin);
  }

  #runner(zone: ZoneConfig, origin: Name): ZoneRunner {
    const config = secondaryConfig(zone, this.#config.keys, origin);
    const shared = { store: this.#store, log: this.#log, source: zone.source };
    return new ZoneRunner({ config, ...shared, onChange: () => this.#changed(origin) });
  }

  #changed(origin: Name): void {
    const secondary = this.#find(origin);
    if (secondary && this.#isCatalog(secondary)) this.#followCatalogs();
    this.#onChange();
  }

  #followCatalogs(): void {
    for (const secondary of this.#configured.values()) if (this.#isCatalog(secondary)) this.#read(secondary);
    const catalogs = new Map([...this.#readings].map(([origin, { catalog }]) => [origin, catalog]));
    const wanted = membership(catalogs, new Set(this.#configured.keys()), this.#members);
    for (const [member, { label }] of this.#members) if (wanted.get(member)?.label !== label) this.#drop(member);
    for (const [member, listed] of wanted) if (!this.#members.has(member)) this.#adopt(member, listed);
  }

  /** A broken one changes nothing but the problem that is told (RFC 9432 5.1). */
  #read({ zone: { catalog: limits }, runner }: Secondary): void {
    const { origin } = runner.config;
    const before = this.#readings.get(origin) ?? nothingRead;
    const { zone } = runner;
    if (!zone || zone === before.read) return;
    const catalog = readCatalog(zone, limits?.within.map(nameFromText) ?? []);
    const broken = typeof catalog === 'string';
    if (broken) this.#log('catalogBroken', { zone: nameToText(origin), problem: catalog });
    const reading = broken ? { catalog: before.catalog, problem: catalog } : { catalog, problem: undefined };
    this.#readings.set(origin, { read: zone, ...reading });
  }

  #adopt(member: Name, listed: Listed): void {
    const zone = this.#configured.get(listed.catalog)?.zone;
    if (!zone) return;
    this.#log('catalogMemberAdded', { zone: nameToText(member), catalog: nameToText(listed.catalog) });
    this.#members.set(member, { zone, runner: this.#runner(zone, member), ...listed });
  }

  /** RFC 9432 5.3: with all that was kept of it. */
  #drop(member: Name): void {
    this.#members.get(member)?.runner.stop();
    this.#members.delete(member);
    this.#log('catalogMemberRemoved', { zone: nameToText(member) });
    this.#store.forget(member).catch((error: unknown) => {
      this.#log('zoneNotForgotten', { zone: nameToText(member), problem: sentenceFor(error) });
    });
  }
}

function servedBy({ zone, runner }: Secondary): Served {
  if (!runner.expired) return { zone: runner.zone, stale: undefined };
  const text = `${nameToText(runner.config.origin)} has expired: ${runner.problem ?? 'no primary answered'}`;
  const stale: Ede = { code: ExtendedError.staleAnswer, text };
  return { zone: zone.serveExpired ? runner.zone : undefined, stale };
}
