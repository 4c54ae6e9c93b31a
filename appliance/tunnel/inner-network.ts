import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { applyNetwork, clearNetwork, networkPlan } from '../host/network.ts';
import type { Assignment } from '../ike/api.ts';
import type { FromService } from '../lib/messages.ts';
import { AssignedAddresses } from './assigned.ts';

/** What this host knows of the networks behind the tunnel: routes, the addresses that gateways have given, and their resolvers. */
export class InnerNetwork {
  readonly #log: Logger;
  readonly #tell: (message: FromService) => void;
  readonly #assigned = new AssignedAddresses();
  #config: Config;
  #problem: string | null = null;
  /** One at a time: each looks at what is there and adds what is missing, and two that look at once add it twice. */
  #last: Promise<void> = Promise.resolve();

  constructor(config: Config, log: Logger, tell: (message: FromService) => void) {
    this.#config = config;
    this.#log = log;
    this.#tell = tell;
  }

  /** A sentence: why it could not be applied. */
  get problem(): string | null {
    return this.#problem;
  }

  configure(config: Config): void {
    this.#config = config;
  }

  /** What is wanted when its turn comes. */
  apply(): Promise<void> {
    return this.#inTurn(() => this.#applyNow());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    return this.#last;
  }

  async #applyNow(): Promise<void> {
    try {
      await applyNetwork(networkPlan(this.#assigned.within(this.#config)));
      this.#problem = null;
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#log.error({ problem: this.#problem }, 'networkNotApplied');
    }
  }

  async take(peer: string, assignment: Assignment): Promise<void> {
    try {
      await this.#assigned.take(peer, assignment, this.#config.tunnel.interface);
      await this.apply();
      // Only now: they are asked from the address that was given.
      this.tellResolvers();
    } catch (error) {
      this.#log.error({ peer, problem: (error as Error).message }, 'addressesNotTaken');
    }
  }

  giveBack(peer: string): void {
    if (!this.#assigned.has(peer)) return;
    void this.#assigned.giveBack(peer, this.#config.tunnel.interface);
    this.tellResolvers();
  }

  /** To the DNS service, by the supervisor. */
  tellResolvers(): void {
    this.#tell({ kind: 'resolvers', resolvers: this.#assigned.resolvers() });
  }

  clear(): Promise<void> {
    return this.#inTurn(() =>
      clearNetwork(this.#config.tunnel.interface).catch((error: Error) => {
        this.#log.warn({ problem: error.message }, 'networkNotCleared');
      }),
    );
  }
}
