import { readFileSync } from 'node:fs';
import { type CapturedPacket, parsePcap } from './pcap.ts';
import { sleep } from './processes.ts';
import type { Running } from './running.ts';

/** A recording of one interface; its file stays in the run's directory. */
export class Capture {
  readonly file: string;
  readonly #process: Running;

  constructor(file: string, process: Running) {
    this.file = file;
    this.#process = process;
  }

  /** Ends the recording and reads it. */
  async stop(): Promise<CapturedPacket[]> {
    // What passed just now is still on its way from the kernel to the file.
    await sleep(100);
    await this.#process.stop();
    return parsePcap(readFileSync(this.file));
  }

  /** Whether the recorded octets contain `text`. */
  contains(text: string): boolean {
    return readFileSync(this.file).includes(text, 0, 'latin1');
  }
}
