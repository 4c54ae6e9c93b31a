/** Fetches the revocation lists of peers whose configuration names addresses for them, and keeps the last good one of each, on the disk too. */
import type { Logger } from 'pino';
import { revocationListOctets } from '../config/credentials.ts';
import type { LoadedConfig } from '../config/files.ts';
import type { Peer } from '../ike/api.ts';
import { decodeRevocationList, type RevocationList } from '../ike/x509/crl.ts';
import type { Trust } from '../ike/x509/trust.ts';
import { DecodeError } from '../lib/bytes.ts';
import type { RevocationStore } from './revocation-store.ts';

const everyMs = 15 * 60_000;
const timeoutMs = 20_000;
/** The largest lists of public authorities are about as long. */
const maxOctets = 16 * 1024 * 1024;

interface Kept {
  readonly octets: Uint8Array;
  readonly thisUpdate: number;
}

export class RevocationLists {
  readonly #log: Logger;
  readonly #store: RevocationStore;
  readonly #kept = new Map<string, Kept>();
  #loaded: LoadedConfig | null = null;
  #peers: readonly Peer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger, store: RevocationStore) {
    this.#log = log;
    this.#store = store;
  }

  /** `peers` are those of the configuration, as the IKE core has them. Resolves when what the disk has is in force; `refreshed`, when the network has been asked. */
  async configure(loaded: LoadedConfig, peers: readonly Peer[]): Promise<{ refreshed: Promise<void> }> {
    this.#loaded = loaded;
    this.#peers = peers;
    this.#hand();
    clearTimeout(this.#timer);
    const urls = new Set(loaded.config.peers.flatMap(({ x509 }) => x509?.revocationListUrls ?? []));
    for (const url of this.#kept.keys()) if (!urls.has(url)) this.#kept.delete(url);
    for (const url of urls) {
      const octets = this.#kept.has(url) ? null : await this.#store.load(url);
      if (octets !== null) this.#restore(url, octets);
    }
    if (this.#loaded !== loaded) return { refreshed: Promise.resolve() };
    this.#hand();
    return { refreshed: this.#refresh(urls) };
  }

  #restore(url: string, octets: Uint8Array): void {
    try {
      this.#keep(url, octets);
    } catch (error) {
      this.#log.warn({ url, problem: (error as Error).message }, 'revocationListNotKept');
    }
  }

  stop(): void {
    this.#loaded = null;
    clearTimeout(this.#timer);
  }

  async #refresh(urls: ReadonlySet<string>): Promise<void> {
    const loaded = this.#loaded;
    await this.#store.keepOnly(urls).catch((error: Error) => {
      this.#log.warn({ problem: error.message }, 'revocationListsNotCleared');
    });
    for (const url of urls) await this.#fetch(url);
    if (loaded === null || this.#loaded !== loaded || urls.size === 0) return;
    this.#hand();
    this.#timer = setTimeout(() => void this.#refresh(urls), everyMs);
  }

  async #fetch(url: string): Promise<void> {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'follow' });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const octets = revocationListOctets(await bounded(response));
      if (this.#keep(url, octets)) await this.#store.save(url, octets);
    } catch (error) {
      this.#log.warn({ url, problem: (error as Error).message }, 'revocationListNotFetched');
    }
  }

  /**
   * Anybody on the way can answer in place of the server: what is no list, is forged or older than what we have takes no good one's place.
   * False: nothing new. @throws {Error} with a sentence
   */
  #keep(url: string, octets: Uint8Array): boolean {
    const list = readList(octets);
    if (this.#trustsOf(url).some((trust) => trust.isForged(list))) throw new Error('its signature is wrong');
    const { thisUpdate } = list;
    const before = this.#kept.get(url);
    if (before !== undefined && thisUpdate <= before.thisUpdate) return false;
    this.#kept.set(url, { octets, thisUpdate });
    return true;
  }

  #trustsOf(url: string): Trust[] {
    const names = this.#loaded?.config.peers.filter(({ x509 }) => x509?.revocationListUrls.includes(url)) ?? [];
    return names.flatMap(({ name }) => this.#trustOf(name) ?? []);
  }

  #trustOf(peer: string): Trust | null {
    const auth = this.#peers.find(({ name }) => name === peer)?.remoteAuth;
    return auth?.kind === 'x509' ? auth.trust : null;
  }

  /** Gives every peer the lists of its files and those that were fetched for it. */
  #hand(): void {
    for (const { name, x509 } of this.#loaded?.config.peers ?? []) {
      const trust = this.#trustOf(name);
      if (x509 === undefined || trust === null) continue;
      const files = this.#loaded?.trust.get(name)?.revocationLists ?? [];
      const fetched = x509.revocationListUrls.flatMap((url) => this.#kept.get(url)?.octets ?? []);
      const unreadable = trust.setRevocationLists([...files, ...fetched]);
      if (unreadable > 0) this.#log.warn({ peer: name, unreadable }, 'revocationListsUnreadable');
    }
  }
}

async function bounded(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > maxOctets) throw new Error(`more than ${maxOctets} octets`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** @throws {Error} for octets that are no list */
function readList(octets: Uint8Array): RevocationList {
  try {
    return decodeRevocationList(octets);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new Error(`not a revocation list that can be used: ${error.message}`);
  }
}
