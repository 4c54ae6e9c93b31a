/** Fetches the revocation lists of peers whose configuration names addresses for them, and keeps the last good one of each. */
import type { Logger } from 'pino';
import { revocationListOctets } from '../config/credentials.ts';
import type { LoadedConfig } from '../config/files.ts';
import type { Peer } from '../ike/api.ts';

const everyMs = 15 * 60_000;
const timeoutMs = 20_000;
/** The largest lists of public authorities are about as long. */
const maxOctets = 16 * 1024 * 1024;

export class RevocationLists {
  readonly #log: Logger;
  readonly #fetched = new Map<string, Uint8Array>();
  #loaded: LoadedConfig | null = null;
  #peers: readonly Peer[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `peers` are those of the configuration, as the IKE core has them. */
  configure(loaded: LoadedConfig, peers: readonly Peer[]): void {
    this.#loaded = loaded;
    this.#peers = peers;
    this.#hand();
    clearTimeout(this.#timer);
    void this.#refresh();
  }

  stop(): void {
    this.#loaded = null;
    clearTimeout(this.#timer);
  }

  async #refresh(): Promise<void> {
    const loaded = this.#loaded;
    const urls = new Set(loaded?.config.peers.flatMap(({ x509 }) => x509?.revocationListUrls ?? []));
    for (const url of urls) await this.#fetch(url);
    if (loaded === null || this.#loaded !== loaded || urls.size === 0) return;
    this.#hand();
    this.#timer = setTimeout(() => void this.#refresh(), everyMs);
  }

  async #fetch(url: string): Promise<void> {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'follow' });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.#fetched.set(url, revocationListOctets(await bounded(response)));
    } catch (error) {
      this.#log.warn({ url, problem: (error as Error).message }, 'revocationListNotFetched');
    }
  }

  /** Gives every peer the lists of its files and those that were fetched for it. */
  #hand(): void {
    for (const { name, x509 } of this.#loaded?.config.peers ?? []) {
      const auth = this.#peers.find((peer) => peer.name === name)?.remoteAuth;
      if (x509 === undefined || auth?.kind !== 'x509') continue;
      const files = this.#loaded?.trust.get(name)?.revocationLists ?? [];
      const fetched = x509.revocationListUrls.flatMap((url) => this.#fetched.get(url) ?? []);
      const unreadable = auth.trust.setRevocationLists([...files, ...fetched]);
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
