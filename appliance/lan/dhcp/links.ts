import { findInterface } from '../../../native/lan/index.ts';
import type { DhcpSlice } from '../../config/dhcp.ts';
import { Link, type LinkEvents } from './link.ts';
import { type Ipv6Network, Link6 } from './link6.ts';
import { type Fields, log } from './log.ts';

interface Wanted {
  readonly interfaceName: string;
  readonly address: string;
  readonly ipv6: Ipv6Network | undefined;
}

interface Place {
  wanted: Wanted;
  link: Link | undefined;
  link6: Link6 | undefined;
  /** Why a link is missing; empty when all is well. */
  problem: string;
}

export type EventsFor = (interfaceName: string) => LinkEvents;

/**
 * The links of all configured interfaces. An interface may come, go and come back under the same name (a USB adapter,
 * a bridge made anew): `check` opens what is there and closes what is not the same any more.
 */
export class Links {
  readonly #places = new Map<string, Place>();
  readonly #eventsFor: EventsFor;

  constructor(eventsFor: EventsFor) {
    this.#eventsFor = eventsFor;
  }

  configure(slice: DhcpSlice): void {
    const wanted = wantedOf(slice);
    for (const [name, place] of this.#places) {
      const next = wanted.get(name);
      if (next?.address === place.wanted.address) continue;
      close(place, next === undefined);
      this.#places.delete(name);
    }
    for (const [name, next] of wanted) {
      const place = this.#places.get(name);
      if (place) this.#change(place, next);
      else this.#places.set(name, { wanted: next, link: undefined, link6: undefined, problem: '' });
    }
    this.check();
  }

  get(interfaceName: string): Link | undefined {
    return this.#places.get(interfaceName)?.link;
  }

  check(): void {
    for (const place of this.#places.values()) this.#check(place);
  }

  close(): void {
    for (const place of this.#places.values()) close(place, true);
    this.#places.clear();
  }

  problems(): string[] {
    return [...this.#places.values()].flatMap(({ problem }) => (problem === '' ? [] : problem));
  }

  status(): Record<string, Fields> {
    const entries = [...this.#places].map(([name, { link, link6, problem }]) => {
      return [name, { open: link !== undefined, ipv6: link6?.counters ?? null, problem }] as const;
    });
    return Object.fromEntries(entries);
  }

  #change(place: Place, next: Wanted): void {
    const changed = JSON.stringify(place.wanted.ipv6) !== JSON.stringify(next.ipv6);
    place.wanted = next;
    if (!changed) return;
    if (next.ipv6) place.link6?.configure(next.ipv6);
    else closeIpv6(place, true);
  }

  #check(place: Place): void {
    const { interfaceName, address, ipv6 } = place.wanted;
    const index = findInterface(interfaceName)?.index;
    if ((place.link && place.link.index !== index) || (place.link6 && place.link6.index !== index)) {
      log('warn', 'interfaceGone', { interface: interfaceName });
      close(place, false);
    }
    const before = place.problem;
    try {
      place.link ??= new Link(interfaceName, address, this.#eventsFor(interfaceName));
      place.link6?.check();
      if (ipv6) place.link6 ??= new Link6(ipv6, this.#eventsFor(interfaceName).failed);
      place.problem = '';
      if (before !== '') log('info', 'interfaceReady', { interface: interfaceName });
    } catch (error) {
      place.problem = `${interfaceName}: ${error instanceof Error ? error.message : error}`;
      if (place.problem !== before) log('warn', 'interfaceNotReady', { problem: place.problem });
    }
  }
}

function wantedOf(slice: DhcpSlice): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const network of slice.networks) {
    const { interface: interfaceName, address, ipv6 } = network;
    const here = ipv6 ? { ...network, ipv6 } : wanted.get(interfaceName)?.ipv6;
    wanted.set(interfaceName, { interfaceName, address, ipv6: here });
  }
  return wanted;
}

function close(place: Place, leaving: boolean): void {
  place.link?.close();
  place.link = undefined;
  closeIpv6(place, leaving);
}

function closeIpv6(place: Place, leaving: boolean): void {
  place.link6?.close(leaving);
  place.link6 = undefined;
}
