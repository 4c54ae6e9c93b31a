/**
 * The road between the machines of a test, made of namespaces that it takes away again: `hub` holds QEMU and its two TAP
 * devices, `office` is the provider and the portal, `sofa` is a computer in the LAN of the box.
 */
import { must, run } from '../lab/processes.ts';

export const officeAddress = '198.51.100.10';
export const corporateAddress = '10.1.0.80';
export const lan = { network: '10.77.1.0/24', box: '10.77.1.1', sofa: '10.77.1.50' };
export const tapWild = 'tapwild';
export const tapWork = 'tapwork';

export type Place = 'hub' | 'office' | 'sofa';

export class Street {
  readonly #prefix: string;

  private constructor(prefix: string) {
    this.#prefix = prefix;
  }

  static async open(): Promise<Street> {
    const street = new Street(`moatimg${process.pid}`);
    try {
      await street.#build();
      return street;
    } catch (error) {
      await street.close();
      throw error;
    }
  }

  namespace(place: Place): string {
    return `${this.#prefix}-${place}`;
  }

  inside(place: Place, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace(place), ...command];
  }

  async close(): Promise<void> {
    for (const place of ['hub', 'office', 'sofa'] as const) await run(['ip', 'netns', 'del', this.namespace(place)]);
  }

  async #build(): Promise<void> {
    for (const place of ['hub', 'office', 'sofa'] as const) {
      await must(['ip', 'netns', 'add', this.namespace(place)]);
      await this.#ip(place, 'link set lo up');
    }
    for (const [tap, bridge, place, device] of [
      [tapWild, 'brwild', 'office', 'street0'],
      [tapWork, 'brwork', 'sofa', 'lan0'],
    ] as const) {
      await this.#ip('hub', `link add ${bridge} type bridge`, `link set ${bridge} up`);
      await this.#ip('hub', `tuntap add ${tap} mode tap`, `link set ${tap} master ${bridge} up`);
      await this.#ip('hub', `link add to${place} type veth peer name ${device} netns ${this.namespace(place)}`);
      await this.#ip('hub', `link set to${place} master ${bridge} up`);
      await this.#ip(place, `link set ${device} up`);
    }
    await this.#ip('office', `address add ${officeAddress}/24 dev street0`);
    await this.#ip('office', `address add ${corporateAddress}/32 dev lo`);
    await this.#ip('sofa', `address add ${lan.sofa}/24 dev lan0`, `route add default via ${lan.box}`);
  }

  async #ip(place: Place, ...lines: string[]): Promise<void> {
    for (const line of lines) await must(['ip', '-n', this.namespace(place), ...line.split(' ')]);
  }
}
