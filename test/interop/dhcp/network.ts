import { type ChildProcess, spawn } from 'node:child_process';
import { must, run } from '../../lab/processes.ts';
import type { Place } from './clients.ts';

export const serverAddress = '10.66.0.1';
/** perfdhcp, which speaks as a relay. */
export const loadAddress = '10.66.0.3';
const relayNear = '10.66.0.2';
export const relayFar = '10.67.0.1';

const lanClients = ['udhcpc', 'dhclient', 'dhcpcd', 'networkd', 'load', 'static'] as const;
export type Host = 'server' | 'switch' | 'relay' | 'far' | 'wild' | (typeof lanClients)[number];

/**
 *   wild -- wan0 [server] lan0 -- [switch] -- every client: eth0
 *                                        \--- near0 [relay] far0 -- eth0 [far]
 */
export class Network {
  readonly #prefix = `mdhcp${process.pid}`;
  readonly #hosts = new Set<Host>();

  name(host: Host): string {
    return `${this.#prefix}-${host}`;
  }

  async build(): Promise<void> {
    for (const host of ['server', 'switch', 'relay', 'far', 'wild', ...lanClients] as const) await this.#add(host);
    await this.ip('switch', 'link add br0 type bridge');
    await this.ip('switch', 'link set br0 up');
    await this.#plug('server', 'lan0');
    await this.#plug('relay', 'near0');
    for (const client of lanClients) await this.#plug(client, 'eth0');
    await this.#cable(['server', 'wan0'], ['wild', 'eth0']);
    await this.#cable(['relay', 'far0'], ['far', 'eth0']);
    await this.ip('server', `addr add ${serverAddress}/16 dev lan0`);
    await this.ip('server', 'addr add fd66::1/64 dev lan0 nodad');
    await this.ip('server', 'addr add 198.51.100.2/24 dev wan0');
    await this.ip('server', `route add 10.67.0.0/24 via ${relayNear}`);
    await this.ip('relay', `addr add ${relayNear}/16 dev near0`);
    await this.ip('relay', `addr add ${relayFar}/24 dev far0`);
    await this.ip('load', `addr add ${loadAddress}/16 dev eth0`);
    await this.in('relay', 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  }

  async #add(host: Host): Promise<void> {
    await must(['ip', 'netns', 'add', this.name(host)]);
    this.#hosts.add(host);
    await this.ip(host, 'link set lo up');
  }

  async #cable([a, nameA]: [Host, string], [b, nameB]: [Host, string]): Promise<void> {
    await this.ip(a, `link add ${nameA} type veth peer name ${nameB} netns ${this.name(b)}`);
    await this.ip(a, `link set ${nameA} up`);
    await this.ip(b, `link set ${nameB} up`);
  }

  async #plug(host: Host, name: string): Promise<void> {
    const port = `p-${host}`;
    await this.#cable([host, name], ['switch', port]);
    await this.ip('switch', `link set ${port} master br0`);
  }

  async ip(host: Host, words: string): Promise<string> {
    return must(['ip', '-n', this.name(host), ...words.split(' ')]);
  }

  /** Runs a command in a host to its end. @throws {Error} when it fails. */
  async in(host: Host, ...command: string[]): Promise<string> {
    return must(['ip', 'netns', 'exec', this.name(host), ...command]);
  }

  /** Starts a command in a host; `ip netns exec` becomes the command, so the pid is its own. */
  spawn(host: Host, command: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name(host), ...command], { stdio: ['ignore', 'ignore', 'ignore'], env });
  }

  place(host: Host): Place {
    return {
      name: host,
      device: 'eth0',
      spawn: (command) => this.spawn(host, command),
      in: (...command) => this.in(host, ...command),
    };
  }

  async macOf(host: Host): Promise<string> {
    const links = JSON.parse(await this.ip(host, '-j link show eth0')) as { address: string }[];
    return links[0]?.address ?? '';
  }

  async addressesOf(host: Host): Promise<string[]> {
    const links = JSON.parse(await this.ip(host, '-j addr show eth0')) as { addr_info: { local: string }[] }[];
    return (links[0]?.addr_info ?? []).map(({ local }) => local);
  }

  async remove(): Promise<void> {
    for (const host of this.#hosts) await run(['ip', 'netns', 'del', this.name(host)]);
  }
}

export async function until(
  what: string,
  seconds: number,
  happened: () => boolean | Promise<boolean>,
): Promise<number> {
  const began = performance.now();
  while (!(await happened())) {
    if (performance.now() - began > seconds * 1000) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - began;
}
