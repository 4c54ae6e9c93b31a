import { hex } from '../lib/bytes.ts';
import { parseIp } from '../lib/ip.ts';
import type { IkeState } from './states.ts';

/** Of an IPv6 address: what one customer of a provider has at least. */
const siteOctets = 8;

/** How many half-open SAs there are, and of whom: as many sources as there are SAs, and none that has no more. */
export class HalfOpen {
  readonly #bySource = new Map<string, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Of that address; of IPv6, of its /64. */
  from(address: string): number {
    return this.#bySource.get(sourceOf(address)) ?? 0;
  }

  replace(before: IkeState, after: IkeState): void {
    if (before.name === 'initAnswered') this.#add(before.path.remote.address, -1);
    if (after.name === 'initAnswered') this.#add(after.path.remote.address, 1);
  }

  #add(address: string, change: 1 | -1): void {
    const source = sourceOf(address);
    const left = (this.#bySource.get(source) ?? 0) + change;
    this.#count += change;
    if (left > 0) this.#bySource.set(source, left);
    else this.#bySource.delete(source);
  }
}

function sourceOf(address: string): string {
  return hex(parseIp(address).subarray(0, siteOctets));
}
