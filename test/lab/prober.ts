import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Host } from './host.ts';
import type { ProbeQuestion } from './probe-agent.ts';
import type { Running } from './running.ts';

const script = fileURLToPath(new URL('probe-agent.ts', import.meta.url));

/** Asks from inside a lab host, by one process that stays: a probe costs a packet, not a program. */
export class Prober {
  readonly host: Host;
  readonly process: Running;
  readonly #waiting = new Map<number, (answered: boolean) => void>();
  #last = 0;

  private constructor(host: Host, process: Running) {
    this.host = host;
    this.process = process;
    if (process.child.stdout) createInterface({ input: process.child.stdout }).on('line', (line) => this.#heard(line));
  }

  static async start(host: Host): Promise<Prober> {
    const running = host.start('prober', [process.execPath, script]);
    await running.line(/^ready$/);
    return new Prober(host, running);
  }

  /** Whether `target` answered. */
  ask(protocol: ProbeQuestion['protocol'], target: string, source = ''): Promise<boolean> {
    this.#last += 1;
    const question: ProbeQuestion = { id: this.#last, protocol, target, source };
    return new Promise((resolve) => {
      this.#waiting.set(question.id, resolve);
      this.process.child.stdin?.write(`${JSON.stringify(question)}\n`);
    });
  }

  #heard(line: string): void {
    if (!line.startsWith('{')) return;
    const { id, answered } = JSON.parse(line) as { id: number; answered: boolean };
    this.#waiting.get(id)?.(answered);
    this.#waiting.delete(id);
  }
}
