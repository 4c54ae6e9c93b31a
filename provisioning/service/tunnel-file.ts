/** The portal's own tunnel configuration as a file for `moat run`, kept current one device at a time. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { compilePortal, type PortalFacts } from '../compile/device.ts';

export interface PeerEntry {
  readonly deviceId: number;
  readonly name: string;
  /** Empty: the box may not call (any more). */
  readonly peer: string;
}

export class TunnelFile {
  readonly #path: string;
  readonly #pidFile: string | undefined;
  readonly #peers = new Map<number, PeerEntry>();
  #written = '';

  constructor(path: string, pidFile: string | undefined) {
    this.#path = path;
    this.#pidFile = pidFile;
  }

  update(entries: readonly PeerEntry[]): void {
    for (const entry of entries) {
      if (entry.peer === '') this.#peers.delete(entry.deviceId);
      else this.#peers.set(entry.deviceId, entry);
    }
  }

  /** Nothing happens when nothing differs. */
  write(portal: PortalFacts): void {
    const entries = [...this.#peers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const text = compilePortal(
      portal,
      entries.map(({ peer }) => peer),
    );
    if (text === this.#written) return;
    const next = `${this.#path}.next`;
    writeFileSync(next, text, { mode: 0o600, flush: true });
    renameSync(next, this.#path);
    this.#written = text;
    this.#tell();
  }

  #tell(): void {
    if (this.#pidFile === undefined) return;
    try {
      process.kill(Number(readFileSync(this.#pidFile, 'utf8').trim()), 'SIGHUP');
    } catch {
      // The tunnel is not running; it reads the file when it starts.
    }
  }
}
