import { hex } from '../lib/bytes.ts';
import type { Env } from '../lib/env.ts';
import type { IkeEffect } from './api.ts';
import { saKey } from './channel.ts';
import type { Family } from './family.ts';
import type { IkeState } from './states.ts';
import { Timers } from './timers.ts';
import { wakeAt } from './upkeep.ts';

/** One IKE SA in the table. `key` is the SPI that we chose, in hexadecimal. */
export interface Entry {
  readonly key: string;
  state: IkeState;
  /** The times at which the timers hold it, the earliest last: what it is held at anyway is not put in once more. */
  readonly queuedAt: number[];
}

/** All IKE SAs, found by SPI, by peer and by tunnel, and the time of the next one's work. */
export class SaTable {
  readonly #entries = new Map<string, Entry>();
  readonly #byPeer = new Map<string, Set<Entry>>();
  readonly #families = new Map<number, Family>();
  readonly #espSpis = new Set<number>();
  readonly #timers = new Timers<Entry>();
  #halfOpen = 0;

  get halfOpen(): number {
    return this.#halfOpen;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  ofPeer(name: string): Entry[] {
    return [...(this.#byPeer.get(name) ?? [])];
  }

  /** Whether one of them is with a peer that we know. */
  get hasPeers(): boolean {
    return this.#byPeer.size > 0;
  }

  /** The IKE SA that now has the tunnel's child. */
  ofTunnel(tunnel: number): Entry | undefined {
    const family = this.#families.get(tunnel);
    return family && this.#entries.get(family.owner);
  }

  add(state: IkeState): Entry | undefined {
    const key = keyOf(state);
    if (key === null) return undefined;
    const entry: Entry = { key, state: { name: 'closed' }, queuedAt: [] };
    this.#entries.set(key, entry);
    this.put(entry, state);
    return entry;
  }

  /** The entry's next state; a closed one leaves the table. */
  put(entry: Entry, state: IkeState): void {
    this.#halfOpen += Number(state.name === 'initAnswered') - Number(entry.state.name === 'initAnswered');
    const [before, after] = [peerOf(entry.state), peerOf(state)];
    entry.state = state;
    if (before !== after) this.#movePeer(entry, before, after);
    if (state.name === 'closed') this.#entries.delete(entry.key);
    this.schedule(entry);
    const owner = 'family' in state ? this.#entries.get(state.family.owner) : undefined;
    if (owner !== undefined && owner !== entry) this.schedule(owner);
  }

  #movePeer(entry: Entry, before: string | null, after: string | null): void {
    const old = before === null ? undefined : this.#byPeer.get(before);
    old?.delete(entry);
    if (before !== null && old?.size === 0) this.#byPeer.delete(before);
    if (after === null) return;
    const set = this.#byPeer.get(after) ?? new Set();
    this.#byPeer.set(after, set.add(entry));
  }

  schedule(entry: Entry): void {
    const at = wakeAt(entry.state);
    if (at >= (entry.queuedAt.at(-1) ?? Number.POSITIVE_INFINITY)) return;
    entry.queuedAt.push(at);
    this.#timers.add(at, entry);
  }

  wakeAt(): number {
    return this.#timers.next();
  }

  /** How many times the timers hold; a few for each entry. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** The next entry whose time may have come. */
  takeDue(now: number): Entry | undefined {
    const entry = this.#timers.take(now);
    entry?.queuedAt.pop();
    return entry;
  }

  newIkeSpi(env: Env): Uint8Array {
    for (;;) {
      const spi = env.random(8);
      if (spi.some((octet) => octet !== 0) && !this.#entries.has(hex(spi))) return spi;
    }
  }

  newEspSpi(env: Env): number {
    for (;;) {
      const [a = 0, b = 0, c = 0, d = 0] = env.random(4);
      const spi = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
      if (spi < 256 || this.#espSpis.has(spi)) continue;
      this.#espSpis.add(spi);
      return spi;
    }
  }

  freeEspSpi(spi: number): void {
    this.#espSpis.delete(spi);
  }

  /** Keeps track of what the effects do to SPIs and tunnels. */
  follow(effect: IkeEffect, entry: Entry): void {
    if (effect.kind === 'removeInbound') this.#espSpis.delete(effect.spi);
    if (effect.kind === 'installInbound' && 'family' in entry.state) {
      this.#families.set(effect.sa.tunnel, entry.state.family);
    }
    if (effect.kind === 'report' && effect.report.kind === 'childClosed') this.#families.delete(effect.report.tunnel);
  }
}

function keyOf(state: IkeState): string | null {
  if (state.name === 'initSent' || state.name === 'resumeSent') return hex(state.spi);
  return 'channel' in state ? saKey(state.channel) : null;
}

function peerOf(state: IkeState): string | null {
  return 'peer' in state ? state.peer.name : null;
}
