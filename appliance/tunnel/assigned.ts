/** Addresses that gateways have given us: on the tunnel's interface while there is a tunnel that they belong to. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Config } from '../config/schema.ts';
import type { Assignment } from '../ike/api.ts';
import { familyOf } from '../lib/ip.ts';
import type { AssignedResolver } from '../lib/messages.ts';

const run = promisify(execFile);

export class AssignedAddresses {
  readonly #byPeer = new Map<string, Assignment>();

  /** @throws {Error} with what `ip` refused */
  async take(peer: string, assignment: Assignment, device: string): Promise<void> {
    await this.giveBack(peer, device);
    this.#byPeer.set(peer, assignment);
    for (const address of assignment.addresses)
      await run('ip', ['address', 'replace', hostPrefix(address), 'dev', device]);
  }

  has(peer: string): boolean {
    return this.#byPeer.has(peer);
  }

  /** Nothing happens when there are none. */
  async giveBack(peer: string, device: string): Promise<void> {
    const old = this.#byPeer.get(peer);
    this.#byPeer.delete(peer);
    // An interface that is gone has taken its addresses along.
    for (const address of old?.addresses ?? []) {
      await run('ip', ['address', 'del', hostPrefix(address), 'dev', device]).catch(() => undefined);
    }
  }

  /** Whom to ask about which domains. Servers for everything are not taken up: whom the LAN asks about the world, its own configuration says. */
  resolvers(): AssignedResolver[] {
    return [...this.#byPeer.values()]
      .filter(({ dns, domains }) => dns.length > 0 && domains.length > 0)
      .map(({ dns, domains }) => ({ domains, servers: dns }));
  }

  /** What this host itself speaks from into the tunnel: given addresses before its own. */
  within(config: Config): Config {
    const given = [...this.#byPeer.values()].flatMap(({ addresses }) => addresses);
    if (given.length === 0) return config;
    const sourceAddresses = [...given, ...config.tunnel.sourceAddresses];
    return { ...config, tunnel: { ...config.tunnel, sourceAddresses } };
  }
}

function hostPrefix(address: string): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`;
}
