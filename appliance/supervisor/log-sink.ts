/**
 * Where log lines go: a ring in memory, which `moat logs` shows, and standard output, which journald bounds. Writing never
 * waits: while standard output is stuck (a stopped journald, a full disk behind a file) lines are counted, not kept.
 */
import { constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

const ringOctets = 1_000_000;
const waitingOctets = 1_000_000;
const standardOutput = 1;
/** How long until a reader that was too slow, or a disk that was full, is tried again. */
const againMs = 100;

/** Takes octets without waiting; how many it took. */
type Output = (octets: Buffer) => number;

export class LogSink {
  readonly #output: Output = openOutput();
  readonly #ring: string[] = [];
  #ringLength = 0;
  #waiting: Buffer[] = [];
  #waitingLength = 0;
  #again: NodeJS.Timeout | undefined;
  #lost = 0;

  /** One line with its line end. */
  write(line: string): void {
    this.#remember(line);
    const octets = Buffer.from(line);
    if (this.#waitingLength + octets.length > waitingOctets) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(octets);
    this.#waitingLength += octets.length;
    if (this.#again === undefined) this.#flush();
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
    while (this.#waitingLength > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #remember(line: string): void {
    this.#ring.push(line);
    this.#ringLength += line.length;
    let from = 0;
    while (this.#ringLength > ringOctets) this.#ringLength -= this.#ring[from++]?.length ?? 0;
    if (from > 0) this.#ring.splice(0, from);
  }

  #flush(): void {
    this.#again = undefined;
    const octets = Buffer.concat(this.#waiting);
    const rest = octets.subarray(this.#output(octets));
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingLength = rest.length;
    if (rest.length > 0) this.#again = setTimeout(() => this.#flush(), againMs);
  }
}

/**
 * Opened anew for writing without waiting, where it is a pipe, a file or a terminal: the mode must not change for others that share
 * it. A blocked write in Node's thread pool would keep the process from ever ending.
 */
function openOutput(): Output {
  try {
    const file = openSync(
      `/proc/self/fd/${standardOutput}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND,
    );
    return (octets) => writeWithoutWaiting(file, octets);
  } catch {
    // journald's socket cannot be opened anew; it is nobody else's.
    return socketOutput();
  }
}

/** Nobody reads any more: what is said is said to the ring only. */
function writeWithoutWaiting(file: number, octets: Buffer): number {
  try {
    return writeSync(file, octets);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EAGAIN' || code === 'ENOSPC' ? 0 : octets.length;
  }
}

function socketOutput(): Output {
  const socket = new Socket({ fd: standardOutput, readable: false, writable: true });
  let broken = false;
  socket.on('error', () => {
    broken = true;
  });
  return (octets) => {
    if (broken) return octets.length;
    if (socket.writableLength > 0) return 0;
    socket.write(octets);
    return octets.length;
  };
}
