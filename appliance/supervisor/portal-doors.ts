/** Which of a portal's addresses a call goes to: one connection, kept while it is good, and no patience for what failed just now. */
import type { KeyObject } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Prefix } from '../lib/ip.ts';
import { type Answer, type Call, PortalCaller } from './portal-call.ts';
import type { Door } from './portal-files.ts';
import { doorFor, urlsInTurn } from './portal-turns.ts';

export interface Asked {
  readonly doors: readonly Door[];
  readonly key: KeyObject;
  readonly call: Call;
  /** Calls in a row that came to nothing. */
  readonly failures: number;
  /** Networks behind the tunnels, and whether those are up. */
  readonly inside: readonly Prefix[];
  readonly tunnelUp: boolean;
}

/** An address that did not answer is the last to be tried for so long. */
const shunMs = 300_000;

export class PortalDoors {
  #caller: PortalCaller | null = null;
  #apiKey = '';
  #url = '';
  #roundTripMs = 0;
  readonly #shunnedUntil = new Map<string, number>();

  /** The key and the address of whom the last answer came from. */
  get answered(): { readonly apiKey: string; readonly url: string } {
    return { apiKey: this.#apiKey, url: this.#url };
  }

  /** Of the last call that was not held back. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  hangUp(): void {
    this.#caller?.hangUp();
  }

  /** @throws {Error} with a sentence when nobody answers. */
  async ask({ doors, key, call, failures, inside, tunnelUp }: Asked): Promise<Answer> {
    const door = doors[doorFor(failures, doors.length)] ?? doors[0];
    if (!door) throw new Error('this box has no portal');
    const caller = this.#callerFor(door);
    let last: unknown;
    for (const url of this.#inTurn(urlsInTurn(door.apiUrls, inside, tunnelUp))) {
      const started = performance.now();
      try {
        const answer = await caller.call(url, key, call);
        this.#url = url;
        if (!call.heldSeconds) this.#roundTripMs = performance.now() - started;
        return answer;
      } catch (error) {
        if (call.signal?.aborted) throw error;
        this.#shunnedUntil.set(url, performance.now() + shunMs);
        last = new Error(`${url}: ${(error as Error).message}`);
      }
    }
    throw last;
  }

  #callerFor(door: Door): PortalCaller {
    if (this.#apiKey === door.apiKey && this.#caller) return this.#caller;
    this.#caller?.hangUp();
    this.#apiKey = door.apiKey;
    this.#shunnedUntil.clear();
    this.#caller = new PortalCaller(door.apiKey);
    return this.#caller;
  }

  #inTurn(urls: readonly string[]): string[] {
    for (const [url, until] of this.#shunnedUntil) if (until <= performance.now()) this.#shunnedUntil.delete(url);
    const isShunned = (url: string) => this.#shunnedUntil.has(url);
    return [...urls.filter((url) => !isShunned(url)), ...urls.filter(isShunned)];
  }
}
