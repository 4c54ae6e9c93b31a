/**
 * Where log lines go: a ring in memory, which `moat logs` shows, and standard output, which journald bounds. Writing never
 * waits: while standard output is stuck (a stopped journald, a full disk behind a file) lines are counted, not kept.
 */
import { write } from 'node:fs';

const ringOctets = 1_000_000;
const waitingOctets = 1_000_000;
const standardOutput = 1;

export class LogSink {
  readonly #ring: string[] = [];
  #ringLength = 0;
  #waiting: string[] = [];
  #waitingLength = 0;
  #writing = false;
  #lost = 0;

  /** One line with its line end. */
  write(line: string): void {
    this.#remember(line);
    if (this.#waitingLength + line.length > waitingOctets) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    if (!this.#writing) this.#flush();
  }

  /** The newest lines, oldest first. */
  newest(count: number): string[] {
    return this.#ring.slice(-count);
  }

  /** Lines that standard output never got. */
  get lost(): number {
    return this.#lost;
  }

  /** Resolves when all is out, or after `timeoutMs` when it does not go out. */
  async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#writing && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  #remember(line: string): void {
    this.#ring.push(line);
    this.#ringLength += line.length;
    let from = 0;
    while (this.#ringLength > ringOctets) this.#ringLength -= this.#ring[from++]?.length ?? 0;
    if (from > 0) this.#ring.splice(0, from);
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const text = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#writing = true;
    this.#writeAll(text);
  }

  #writeAll(octets: Buffer): void {
    write(standardOutput, octets, (error, written) => {
      // A reader that is slow (EAGAIN) or a disk that is full (ENOSPC) may come to itself.
      if (error?.code === 'EAGAIN' || error?.code === 'ENOSPC') {
        setTimeout(() => this.#writeAll(octets), 200).unref();
      } else if (!error && written < octets.length) this.#writeAll(octets.subarray(written));
      else {
        this.#writing = false;
        this.#flush();
      }
    });
  }
}
