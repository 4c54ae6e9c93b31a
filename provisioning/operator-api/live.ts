/** Open pages hear at once that something has changed, and ask for what they show again (server-sent events). */
import type { Response } from 'express';

const mostPages = 500;
const heartbeatMs = 20_000;

export class Live {
  readonly #pages = new Set<Response>();
  readonly #timer = setInterval(() => this.#send(': still here\n\n'), heartbeatMs);

  /** False when there are too many. */
  add(response: Response): boolean {
    if (this.#pages.size >= mostPages) return false;
    response.set({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    response.write('retry: 2000\n\n');
    this.#pages.add(response);
    response.on('close', () => this.#pages.delete(response));
    return true;
  }

  changed(revision: number, deviceIds: readonly number[]): void {
    this.#send(`event: revision\ndata: ${JSON.stringify({ revision, configurations: deviceIds.length })}\n\n`);
  }

  reported(count: number): void {
    this.#send(`event: status\ndata: ${JSON.stringify({ reports: count })}\n\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const page of this.#pages) page.end();
  }

  #send(text: string): void {
    for (const page of this.#pages) {
      // A page that does not read is closed, not queued for.
      if (!page.write(text)) page.destroy();
    }
  }
}
