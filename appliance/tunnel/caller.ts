import { lookup } from 'node:dns/promises';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { sourceAddressFor } from '../host/source-address.ts';
import type { Failure, IkeEvent, IkeSaStatus } from '../ike/api.ts';
import type { Env } from '../lib/env.ts';
import { Calls } from './calls.ts';
import type { HomeState } from './home.ts';

/** What the service does for it. */
export interface Switchboard {
  env(): Env;
  step(event: IkeEvent): void;
  sas(): readonly IkeSaStatus[];
  lost(peer: string, failure: Failure, detail: string, address: string | null): void;
}

/** The shell of the calling machines: finds the way to an address, and has IKE call there. */
export class Caller {
  readonly #log: Logger;
  readonly #switchboard: Switchboard;
  #config: Config;
  #calls: Calls;

  constructor(config: Config, log: Logger, switchboard: Switchboard) {
    this.#config = config;
    this.#log = log;
    this.#switchboard = switchboard;
    this.#calls = new Calls(config);
  }

  /** Peers that are called already stay so. */
  configure(config: Config): void {
    this.#config = config;
    this.#calls.configure(config);
  }

  /** Everybody is due at once. */
  startAnew(config: Config): void {
    this.#config = config;
    this.#calls = new Calls(config);
  }

  state(peer: string): HomeState | null {
    return this.#calls.state(peer);
  }

  /** The one called last. */
  address(peer: string): string | null {
    return this.#calls.address(peer);
  }

  /** What failed before may work now. A call under way went out from an address that may be gone. */
  callAgain(): void {
    for (const { name } of this.#config.peers) {
      if (this.#calls.state(name)?.name === 'calling') this.#switchboard.step({ kind: 'close', peer: name });
      this.#calls.restart(name);
    }
    this.#calls.configure(this.#config);
  }

  restart(peer: string): void {
    this.#calls.restart(peer);
  }

  established(peer: string): void {
    this.#calls.established(peer, this.#switchboard.env());
  }

  lost(peer: string, failure: Failure, detail: string): void {
    this.#calls.lost(peer, failure, detail, this.#switchboard.env());
  }

  wakeAt(): number {
    return this.#calls.wakeAt();
  }

  wake(): void {
    this.#giveUpTheSilent();
    for (const { peer, address } of this.#calls.due(this.#switchboard.env())) void this.#call(peer, address, null);
  }

  /** RFC 5685: the gateway names another one, by address or by name. */
  async redirected(peer: string, gateway: string, from: string): Promise<void> {
    const { env, lost } = this.#switchboard;
    this.#calls.redirected(peer, gateway, env());
    try {
      const { address } = await lookup(gateway);
      this.#calls.redirected(peer, address, env());
      await this.#call(peer, address, from);
    } catch (error) {
      const detail = `it sent us to ${gateway}, a name without address: ${(error as NodeJS.ErrnoException).code}`;
      lost(peer, 'noAnswer', detail, from);
    }
  }

  /** An address that says nothing is not waited for where there is another; IKE goes on with it until that one is called. */
  #giveUpTheSilent(): void {
    const { env, sas, lost } = this.#switchboard;
    const overdue = this.#calls.overdue(env().now);
    if (overdue.length === 0) return;
    const isSilent = ({ state }: IkeSaStatus) => state === 'initSent' || state === 'resumeSent';
    const silent = new Set(sas().flatMap((sa) => (isSilent(sa) ? sa.peer : [])));
    for (const peer of overdue) {
      if (silent.has(peer))
        lost(peer, 'noAnswer', 'nothing came back from this address, so the next one is called', null);
      else this.#calls.heard(peer, env());
    }
  }

  async #call(peer: string, address: string, redirectedFrom: string | null): Promise<void> {
    const { ike } = this.#config.tunnel.ports;
    try {
      const local = { address: await sourceAddressFor(address), port: ike };
      this.#log.info({ peer, address }, 'calling');
      const path = { local, remote: { address, port: ike } };
      this.#switchboard.step({ kind: 'initiate', peer, path, ...(redirectedFrom === null ? {} : { redirectedFrom }) });
    } catch (error) {
      const detail = `no route from here: ${(error as NodeJS.ErrnoException).code}`;
      this.#switchboard.lost(peer, 'noAnswer', detail, address);
    }
  }
}
