import { renameSync, writeFileSync } from 'node:fs';
import type { ApplianceStatus } from './status.ts';
import type { Wan } from './wan.ts';

/** What the DNS service tells people whose names cannot be resolved; `appliance/lan/dns/local/why.ts` reads it. */
export function whyText({ sentence, tunnel }: ApplianceStatus, wan: Wan): string {
  const state = tunnel?.state === 'up' ? 'up' : tunnel?.state === 'down' ? 'down' : 'unknown';
  const way = { wan: wan.state, tunnel: wan.state === 'down' ? 'down' : state };
  return `${JSON.stringify({ sentence: wan.sentence ?? sentence, ...way })}\n`;
}

/** The file that it is in, replaced whole and only when it says something else. */
export class WhyFile {
  readonly #path: string;
  #text = '';
  #failing = false;

  constructor(stateDirectory: string) {
    this.#path = `${stateDirectory}/why.json`;
  }

  get isWritten(): boolean {
    return this.#text !== '';
  }

  /** What a disk that does not take it says, the first time; null otherwise. It is tried again with every call. */
  write(text: string): string | null {
    if (text === this.#text) return null;
    const wasFailing = this.#failing;
    try {
      writeFileSync(`${this.#path}.new`, text, { mode: 0o644 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#text = text;
      this.#failing = false;
      return null;
    } catch (error) {
      this.#failing = true;
      return wasFailing ? null : (error as Error).message;
    }
  }
}
