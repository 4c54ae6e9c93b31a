/** The appliance as a whole: one configuration, the host's network and the services under it, and what is said of them. */
import { mkdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { type LoadedConfig, loadSource } from '../config/files.ts';
import { mappingNotes } from '../config/mapping.ts';
import { ConfigStore, type Source } from '../config/store.ts';
import { HostNetwork } from '../host/host.ts';
import { NetworkMonitor } from '../host/monitor.ts';
import { version } from '../lib/version.ts';
import { ConfigFile } from './config-file.ts';
import { Configurations } from './configurations.ts';
import type { ControlAnswer, ControlRequest } from './control.ts';
import type { Patient } from './doctor/doctor.ts';
import { diskFacts } from './doctor/examine.ts';
import { Hardware, temperatureCelsius } from './inventory.ts';
import { Lights, patternOf } from './lights.ts';
import type { LogSink } from './log-sink.ts';
import { familyOf, residentOctets } from './memory.ts';
import type { InForce, Managed } from './portal-account.ts';
import { type Fingerprint, fingerprint, nameProof, pingProof, proofTargets, tunnelProof } from './proof.ts';
import type { Proof } from './service-runner.ts';
import { ServiceSet } from './service-set.ts';
import { type ApplianceStatus, applianceStatus } from './status.ts';
import { type Wan, wanOf } from './wan.ts';
import { WhyFile, whyText } from './why.ts';

const whyIntervalMs = 2000;
const newestLines = 500;

export interface ApplianceOptions {
  /** Where the configuration is: a box that joins its portal has another file from then on. */
  readonly configFile: () => string;
  readonly stateDirectory: string;
  /** A sentence while the box waits for its portal's configuration. */
  readonly enrolling?: () => string | null;
  readonly log: Logger;
  readonly sink: LogSink;
}

export class Appliance implements Managed {
  readonly #options: ApplianceOptions;
  readonly #log: Logger;
  readonly #services: ServiceSet;
  readonly #host: HostNetwork;
  readonly #file: ConfigFile;
  readonly #configurations: Configurations;
  #loaded: LoadedConfig | null = null;
  #hostProblem: string | null = null;
  #before: Fingerprint = new Map();
  #monitor: NetworkMonitor | null = null;
  /** The network outside as the tunnel's service knows it; null while it has no configuration. */
  #told: string | null = null;
  #whyTimer: NodeJS.Timeout | undefined;
  readonly #lights = new Lights();
  readonly #hardware = new Hardware();
  readonly #why: WhyFile;

  constructor(options: ApplianceOptions) {
    this.#options = options;
    this.#log = options.log;
    const { stateDirectory, log } = options;
    // Services under their own users pass through to their own folders; what is here is for the owner's eyes.
    mkdirSync(stateDirectory, { recursive: true, mode: 0o711 });
    const line = (service: string, text: string) => this.#passOn(service, text);
    this.#file = new ConfigFile(options.configFile, log, () => void this.load());
    this.#why = new WhyFile(stateDirectory);
    this.#host = new HostNetwork(stateDirectory, line);
    this.#services = new ServiceSet({ stateDirectory, log, line, changed: () => {} });
    this.#configurations = new Configurations({
      store: new ConfigStore(`${stateDirectory}/config`),
      log,
      apply: (source) => this.#apply(source),
      prove: () => this.#prove(),
    });
  }

  async start(): Promise<void> {
    this.#whyTimer = setInterval(() => void this.#look(), whyIntervalMs);
    this.#hardware.start();
    this.#monitor = new NetworkMonitor(() => void this.#networkChanged());
    await this.#configurations.start(this.#file.read());
  }

  /** Reads the configuration file again and puts it on trial, or keeps what there was. */
  async load(): Promise<void> {
    const source = this.#file.read();
    if (source) await this.#configurations.offer(source);
  }

  async answer(request: ControlRequest): Promise<ControlAnswer> {
    switch (request.kind) {
      case 'status':
        break;
      case 'logs':
        return { ok: true, status: await this.status(), text: this.#options.sink.newest(newestLines).join('') };
      case 'patient':
        return { ok: true, status: await this.status(), text: JSON.stringify(this.#patient()) };
      case 'rekey':
        this.#services.runner('tunnel')?.send(request);
        break;
      case 'reload': {
        await this.load();
        const problem = this.#configProblem();
        if (problem !== null) return { ok: false, problem };
        break;
      }
      default:
        return { ok: false, problem: 'unknown request' };
    }
    return { ok: true, status: await this.status() };
  }

  #patient(): Patient {
    const { view } = this.#host;
    return {
      config: this.#loaded?.config ?? null,
      devices: Object.fromEntries(view?.placement.devices ?? []),
      hostProblems: this.#host.problems(),
      disk: diskFacts(this.#options.stateDirectory),
      configProblem: this.#configProblem(),
    };
  }

  async status(): Promise<ApplianceStatus> {
    const status = await this.#status();
    const residents = familyOf(process.pid).map(residentOctets);
    return { ...status, residentOctets: residents.reduce((sum, octets) => sum + octets, 0) };
  }

  /** For the portal's client, who asks often. */
  inForce(): InForce {
    const config = this.#loaded?.config;
    return {
      revision: config?.revision ?? null,
      state: this.#configurations.status().state,
      problem: this.#configProblem(),
      inside: config?.peers.flatMap(({ networks }) => networks) ?? [],
    };
  }

  /** The status without what it costs to count the memory. */
  glance(): Promise<ApplianceStatus> {
    return this.#status();
  }

  clockIsKept(): Promise<boolean> {
    return this.#services.clockIsKept();
  }

  async #status(): Promise<ApplianceStatus> {
    const tunnel = await this.#services.tunnel();
    const services = this.#services.status();
    return applianceStatus({
      version,
      uptimeSeconds: Math.floor(performance.now() / 1000),
      notes: mappingNotes(this.#loaded?.config.peers ?? []),
      configFile: this.#file.path,
      residentOctets: 0,
      configProblem: this.#configProblem(),
      hostProblems: [...(this.#hostProblem === null ? [] : [this.#hostProblem]), ...this.#host.problems()],
      configuration: this.#configurations.status(),
      zones: Object.fromEntries(this.#host.view?.placement.devices ?? []),
      tunnel,
      services,
      hardware: this.#hardware.sentence,
      temperatureCelsius: temperatureCelsius(),
      logLinesLost: this.#options.sink.lost,
    });
  }

  /** The services in the opposite order of their start: the tunnel, on which others may stand, says goodbye last. */
  async stop(): Promise<void> {
    this.#file.close();
    clearInterval(this.#whyTimer);
    this.#hardware.stop();
    this.#configurations.close();
    this.#monitor?.close();
    await this.#services.stop();
    await this.#host.close();
  }

  #configProblem(): string | null {
    if (this.#file.problem === null) return this.#configurations.problem();
    const enrolling = this.#options.enrolling?.() ?? null;
    if (enrolling !== null) return enrolling;
    const consequence = this.#loaded ? 'the one before stays in force' : 'nothing runs until it is mended';
    return `The configuration ${this.#file.path} is refused, ${consequence}: ${this.#file.problem}.`;
  }

  /** The firewall before the services: nothing is open that the configuration shuts. */
  async #apply(source: Source): Promise<void> {
    const loaded = loadSource(source);
    const { role, name, revision } = loaded.config;
    this.#before = fingerprint(await this.#services.tunnel());
    // Known at once: what changes on the ports meanwhile is judged by this one.
    this.#loaded = loaded;
    await this.#host.apply(loaded.config);
    this.#hostProblem = null;
    this.#tellTunnel(loaded);
    await this.#services.apply(loaded);
    // Keys made after the change prove that both ends still speak to each other.
    if (role === 'home') this.#services.runner('tunnel')?.send({ kind: 'rekey', what: 'child', peer: null });
    this.#log.info({ role, name, revision, file: source.path }, 'configured');
  }

  async #prove(): Promise<Proof> {
    const config = this.#loaded?.config;
    if (!config) return { ok: false, detail: 'nothing is configured' };
    const [services, tunnel] = [await this.#services.prove(), tunnelProof(await this.#services.tunnel(), this.#before)];
    // Without its port nothing else can be right.
    const [missing] = this.#host.view?.placement.problems ?? [];
    const failed = [services, tunnel].find(({ ok }) => !ok);
    if (failed) return missing === undefined ? failed : { ok: false, detail: missing };
    const proofs = [
      ...proofTargets(config).map((target) => pingProof(config, target)),
      ...config.proof.names.map((name) => nameProof(config, name)),
    ];
    return (await Promise.all(proofs)).find(({ ok }) => !ok) ?? tunnel;
  }

  /** A cable, an address, a router has changed: the rules follow the interfaces. */
  async #networkChanged(): Promise<void> {
    if (!this.#loaded) return;
    const before = this.#hostProblem;
    try {
      await this.#host.look(this.#loaded.config);
      // The tunnel first: its packets go astray until it knows.
      this.#tellTunnel(this.#loaded);
      await this.#host.apply(this.#loaded.config);
      this.#tellTunnel(this.#loaded);
      this.#hostProblem = null;
    } catch (error) {
      this.#hostProblem = `${(error as Error).message}.`;
      if (before !== this.#hostProblem) this.#log.error({ problem: this.#hostProblem }, 'hostNotApplied');
    }
  }

  /** By what it was told last, not by what was seen last: others look too, and a change that came between two looks of theirs was nobody's. */
  #tellTunnel({ config }: LoadedConfig): void {
    const before = this.#told;
    this.#told = this.#host.outside(config);
    // Its first configuration finds it looking for itself.
    if (before === null || before === this.#told) return;
    this.#log.info({ problems: this.#host.view?.problems }, 'networkChanged');
    this.#services.runner('tunnel')?.send({ kind: 'networkChanged' });
    void this.#look();
  }

  /** Lines of services are JSON already; what is not (the last words of a crash) is made so. */
  #passOn(service: string, line: string): void {
    if (!line.startsWith('{')) this.#log.warn({ service, line }, 'serviceSaid');
    else if (line.includes(`"service":"${service}"`)) this.#options.sink.write(`${line}\n`);
    else this.#options.sink.write(`{"service":"${service}",${line.slice(1)}\n`);
  }

  #wan({ tunnel }: ApplianceStatus): Wan {
    const { view } = this.#host;
    if (!this.#loaded || !view) return { state: 'unknown', sentence: null };
    return wanOf(this.#loaded.config.zones, view, tunnel?.state === 'up');
  }

  /** For the DNS service: a name that cannot be resolved is answered with the reason. */
  async #look(): Promise<void> {
    // A portal has no LAN whose names anybody could miss, but thousands of boxes to describe: once is enough.
    if (this.#loaded?.config.role === 'portal' && this.#why.isWritten) {
      if (this.#configurations.status().state === 'settled') this.#services.remember();
      return;
    }
    const status = await this.#status();
    if (status.configuration.state === 'settled') this.#services.remember();
    const wan = this.#wan(status);
    this.#lights.show(patternOf(status, wan.state));
    const problem = this.#why.write(whyText(status, wan));
    if (problem !== null) this.#log.warn({ problem }, 'whyNotWritten');
  }
}
