/** A process of a test, with what it said: dies with the test, and can be waited for line by line. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';

export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #log: string;
  readonly #started = performance.now();
  #text = '';
  /** What had been used when the text was so long. */
  readonly #used: { from: number; seconds: number }[] = [];
  #ended = false;
  #waiting: (() => void)[] = [];

  constructor(command: readonly string[], log: string) {
    const [file = '', ...rest] = ['setpriv', '--pdeathsig', 'KILL', ...command];
    this.#log = log;
    this.#process = spawn(file, rest, { stdio: 'pipe', detached: true });
    this.#process.stdin.on('error', () => undefined);
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#process.on('error', (error) => this.#take(Buffer.from(error.message)));
    this.#process.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Everything so far, as a person would read it on a screen that never scrolls. */
  get text(): string {
    return this.#text;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Processor time when it had said this; null where it has not. */
  processorSecondsAt(pattern: RegExp): number | null {
    const at = this.#text.search(pattern);
    return at < 0 ? null : (this.#used.findLast(({ from }) => from <= at)?.seconds ?? 0);
  }

  /** Seconds of processor time that it has used, its threads included; 0 when it is gone. */
  processorSeconds(): number {
    try {
      // proc(5): after the name in parentheses, utime and stime are the 12th and 13th, in ticks of 10 ms.
      const fields = readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      return 0;
    }
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  /** As a power cut does. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#ended) return;
    this.#process.kill(signal);
    while (!this.#ended) await this.#news(1000);
  }

  /** The first match after `from` characters. @throws {Error} when it does not come in time, with the last words. */
  async match(pattern: RegExp, seconds: number, from = 0): Promise<RegExpExecArray> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const found = new RegExp(pattern.source, pattern.flags).exec(this.#text.slice(from));
      if (found) return found;
      const left = deadline - performance.now();
      if (this.#ended || left <= 0) {
        const why = this.#ended ? 'it ended' : `not within ${seconds} s`;
        throw new Error(`no ${pattern} (${why}); last words:\n${this.#text.slice(-1500)}`);
      }
      await this.#news(left);
    }
  }

  #take(chunk: Buffer): void {
    // Terminal sequences of firmware and GRUB are of no use to anybody here.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they are made of
    const clean = chunk.toString('utf8').replaceAll(/\x1b\[[0-9;?=]*[A-Za-z]|\r|\x1bc/g, '');
    const used = this.processorSeconds();
    this.#used.push({ from: this.#text.length, seconds: used });
    this.#text += clean;
    // In the file every line has the second in which it came, and the processor time of the process until then.
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    appendFileSync(this.#log, clean.replaceAll('\n', `\n${seconds.padStart(6)} ${used.toFixed(1).padStart(6)} `));
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #news(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, milliseconds));
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
