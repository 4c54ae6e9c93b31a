/** A home on the street without a machine of its own: the real `moat` in a namespace, enrolled by a token, and a computer behind it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, run } from '../lab/processes.ts';
import { Child } from './child.ts';
import type { Street } from './street.ts';

const moat = join(import.meta.dirname, '../../appliance/bin/moat');
const wildAddress = '198.51.100.60';

export class House {
  readonly #street: Street;
  readonly #folder: string;
  #running: Child | null = null;

  private constructor(street: Street, folder: string) {
    this.#street = street;
    this.#folder = folder;
  }

  static async open(street: Street, folder: string): Promise<House> {
    const house = new House(street, folder);
    for (const place of ['house', 'couch'] as const) {
      await must(['ip', 'netns', 'add', house.#name(place)]);
      await house.#ip(place, 'link set lo up');
    }
    await must(
      `ip -n ${street.namespace('hub')} link add tohouse type veth peer name wild0 netns ${house.#name('house')}`.split(
        ' ',
      ),
    );
    await must(`ip -n ${street.namespace('hub')} link set tohouse master brwild up`.split(' '));
    await house.#ip('house', 'link set wild0 up', `address add ${wildAddress}/24 dev wild0`);
    await house.#ip(
      'house',
      `link add work0 type veth peer name lan0 netns ${house.#name('couch')}`,
      'link set work0 up',
    );
    await house.#ip('couch', 'link set lan0 up');
    return house;
  }

  /** Joins the portal, takes the addresses that it gives, and calls. @returns the range of this home */
  async join(token: string): Promise<string> {
    const state = join(this.#folder, 'house');
    await must(this.#inside('house', [moat, 'enroll', token, '--state', state]), { timeout: 120_000 });
    const { tunnel } = JSON.parse(readFileSync(join(state, 'portal/moat.json'), 'utf8')) as {
      tunnel: { networks: string[]; sourceAddresses: string[] };
    };
    const [network = '', [own = '']] = [tunnel.networks[0], tunnel.sourceAddresses];
    await this.#ip('house', `address add ${own}/24 dev work0`);
    await this.#ip('couch', `address add ${own.replace(/\.\d+$/, '.50')}/24 dev lan0`, `route add default via ${own}`);
    this.#running = new Child(this.#inside('house', [moat, 'run', '--state', state]), join(this.#folder, 'house.log'));
    return network;
  }

  /** The computer on the couch reads a page until it has it. @throws {Error} when it does not come within the time. */
  async read(url: string, expected: string, seconds = 120): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const { stdout, stderr } = await run(this.#inside('couch', ['curl', '-sS', '--max-time', '10', url]));
      if (stdout.includes(expected)) return;
      if (performance.now() > deadline) throw new Error(`no ${url} on the couch: ${stderr || stdout}`);
    }
  }

  async close(): Promise<void> {
    await this.#running?.kill('SIGTERM');
    for (const place of ['house', 'couch'] as const) await run(['ip', 'netns', 'del', this.#name(place)]);
  }

  #name(place: 'house' | 'couch'): string {
    return `${this.#street.namespace('hub')}-${place}`;
  }

  #inside(place: 'house' | 'couch', command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.#name(place), ...command];
  }

  async #ip(place: 'house' | 'couch', ...lines: string[]): Promise<void> {
    for (const line of lines) await must(['ip', '-n', this.#name(place), ...line.split(' ')]);
  }
}
