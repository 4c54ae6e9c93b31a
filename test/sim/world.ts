import type { EndpointOptions, IkeReport, Peer } from '../../appliance/ike/api.ts';
import { exchangeTypes } from '../../appliance/ike/numbers.ts';
import { decodeHeader } from '../../appliance/ike/wire/header.ts';
import { Reader } from '../../appliance/lib/bytes.ts';
import type { Path } from '../../appliance/lib/net.ts';
import { Box } from './box.ts';
import { Chance } from './chance.ts';
import { Clock } from './clock.ts';
import { type Datagram, Internet, type Weather } from './internet.ts';
import { agreement } from './peers.ts';

export const fairWeather: Weather = { loss: 0, duplication: 0, delay: { least: 10, most: 10 } };

export interface WorldOptions {
  readonly weather: Weather;
  readonly nat: boolean;
  readonly endpoint: Partial<EndpointOptions>;
  readonly peer: Partial<Peer>;
  /** The portal calls, too. */
  readonly bothCall: boolean;
  readonly trace: boolean;
}

const homeAddress = '192.0.2.1';
const homeInside = '192.168.1.2';
const portalAddress = '198.51.100.1';
const packetEveryMilliseconds = 250;

/** Home, portal and the internet between them, from one seed. */
export class World {
  readonly clock = new Clock();
  readonly chance: Chance;
  readonly internet: Internet;
  readonly home: Box;
  readonly portal: Box;
  readonly problems: string[] = [];
  readonly trace: string[] = [];
  readonly reports: { readonly box: string; readonly at: number; readonly report: IkeReport }[] = [];
  readonly #tracing: boolean;
  #traffic = true;

  constructor(seed: number, options: WorldOptions) {
    this.#tracing = options.trace;
    this.chance = new Chance(seed);
    const { clock, chance } = this;
    const { weather } = options;
    this.internet = new Internet({
      clock,
      chance,
      weather,
      onSend: (datagram, path, fate) => this.#onSend(datagram, path, fate),
    });
    const inside = options.nat ? homeInside : homeAddress;
    if (options.nat) this.internet.addNat(homeInside, homeAddress);
    const peers = agreement(chance, options.peer);
    const port = chance.happens(0.5) ? 500 : 4500;
    const path: Path = { local: { address: inside, port }, remote: { address: portalAddress, port } };
    const back: Path = { local: path.remote, remote: path.local };
    this.home = this.#box('home', inside, options, { peer: peers.home, calls: { peer: 'portal', path } });
    const calls = options.bothCall ? { peer: 'home-1', path: back } : null;
    this.portal = this.#box('portal', portalAddress, options, { peer: peers.portal, calls });
  }

  #box(
    name: string,
    address: string,
    options: WorldOptions,
    role: { peer: Peer; calls: { peer: string; path: Path } | null },
  ): Box {
    const { clock, chance, internet } = this;
    const limits = {
      cookieThreshold: 100,
      halfOpenLimit: 1_000,
      natTraversalPort: 4500,
      timeOfDay: (now: number) => Date.UTC(2026, 10, 22) + now,
      ...options.endpoint,
    };
    const onReport = (report: IkeReport) => this.#onReport(name, report);
    const fail = (problem: string) => void this.problems.push(`${name}: ${problem}`);
    return new Box({
      name,
      address,
      clock,
      chance,
      internet,
      options: limits,
      peers: [role.peer],
      calls: role.calls,
      onReport,
      fail,
    });
  }

  get boxes(): readonly Box[] {
    return [this.home, this.portal];
  }

  note(text: string): void {
    if (this.#tracing) this.trace.push(`${(this.clock.now / 1000).toFixed(3).padStart(9)}  ${text}`);
  }

  #onReport(box: string, report: IkeReport): void {
    this.reports.push({ box, at: this.clock.now, report });
    this.note(`${box}: ${JSON.stringify(report)}`);
  }

  #onSend(datagram: Datagram, path: Path, fate: string): void {
    if (!this.#tracing || datagram.kind === 'esp') return;
    const from = path.local.address === portalAddress ? 'portal -> home  ' : 'home   -> portal';
    const header = decodeHeader(new Reader(datagram.bytes));
    const exchange = Object.entries(exchangeTypes).find(([, type]) => type === header.exchange)?.[0] ?? header.exchange;
    const kind = header.response ? 'answer ' : 'request';
    const spi = Buffer.from(
      header.fromInitiator === header.response ? header.spiInitiator : header.spiInitiator,
    ).toString('hex', 0, 2);
    this.note(
      `${from}  ${exchange} ${kind} ${header.messageId}  sa ${spi}  ${datagram.bytes.length} octets${fate === 'lost' ? '  LOST' : ''}`,
    );
  }

  /** From the next rekey on. */
  setLifetimes(lifetimes: Peer['lifetimes']): void {
    for (const box of this.boxes) box.setLifetimes(lifetimes);
  }

  /** Home gets another address, from which what it sends arrives at once. */
  roam(address: string): void {
    this.home.readdress(address, { local: { address, port: 4500 }, remote: { address: portalAddress, port: 4500 } });
  }

  after(seconds: number, what: string, run: () => void): void {
    this.clock.at(this.clock.now + seconds * 1000, () => {
      this.note(`-- ${what}`);
      run();
    });
  }

  run(seconds: number): void {
    this.clock.runUntil(this.clock.now + seconds * 1000);
  }

  /** Both ends send a numbered packet four times a second until `stopTraffic`. */
  startTraffic(): void {
    this.#traffic = true;
    const send = () => {
      if (!this.#traffic) return;
      for (const box of this.boxes) box.sendPacket();
      this.clock.at(this.clock.now + packetEveryMilliseconds, send);
    };
    send();
  }

  stopTraffic(): void {
    this.#traffic = false;
  }
}
