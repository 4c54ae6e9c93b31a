/** A box: QEMU with the image on its disk, read by its serial console. */
import { createConnection } from 'node:net';
import { sleep } from '../lab/processes.ts';
import { Child } from './child.ts';
import type { Disk } from './disk.ts';
import { type MachineOptions, qemu } from './qemu.ts';
import type { Street } from './street.ts';

/** Software emulation on a shared core: what takes seconds on hardware takes minutes at worst; `MOAT_IMAGE_SECONDS` where it takes longer. */
export const bootSeconds = Number(process.env.MOAT_IMAGE_SECONDS ?? 600);
const console0 = 'CONSOLE-READY';

export interface Working {
  readonly slot: string;
  /** Seconds after power on by the box's own clock. */
  readonly at: number;
  /** Seconds of this machine's processors that the emulation has used: says more than `at` where others use them too. */
  readonly processorSeconds: number;
}

export class Box {
  readonly console: Child;
  readonly #monitor: string;
  #from = 0;

  private constructor(console: Child, monitor: string) {
    this.console = console;
    this.#monitor = monitor;
  }

  /** @param log where the console is kept; the monitor's socket stands beside it. */
  static start(street: Street, disk: Disk, log: string, options: MachineOptions = {}): Box {
    const monitor = `${log}.monitor`;
    return new Box(new Child(street.inside('hub', qemu(disk, options, monitor)), log), monitor);
  }

  /** Waits for a line on the console that came after the last one waited for. */
  async see(pattern: RegExp, seconds = bootSeconds): Promise<RegExpExecArray> {
    const found = await this.console.match(pattern, seconds, this.#from);
    this.#from += found.index + found[0].length;
    return found;
  }

  /** When it says that it does its work. */
  async works(seconds = bootSeconds): Promise<Working> {
    const [, slot = '', at = ''] = await this.see(/moat: works in slot ([ab]) at (\d+) s[^\n]*\n/, seconds);
    return { slot, at: Number(at), processorSeconds: Math.round(this.console.processorSeconds()) };
  }

  /** The box's own key, in base64. */
  async publicKey(): Promise<string> {
    return (await this.see(/moat: public key (\S+)\n/))[1] ?? '';
  }

  /** What a command says in the box's own shell (needs `console = true` in moat.toml). */
  async shell(command: string, seconds = 60): Promise<string> {
    const mark = `${console0}-${Math.random().toString(36).slice(2)}`;
    // The mark is put together by the shell, so that the echo of the command is not taken for its end.
    this.console.say(
      `echo '${mark.slice(0, 8)}''${mark.slice(8)}:'; ${command}; echo '${mark.slice(0, 8)}''${mark.slice(8)};'$?`,
    );
    const found = await this.see(new RegExp(`${mark}:\\n([\\s\\S]*?)${mark};(\\d+)`), seconds);
    return found[1] ?? '';
  }

  /** Pulls the plug. */
  cut(): Promise<void> {
    return this.console.kill('SIGKILL');
  }

  /** Whether the console says it within the time. */
  saysWithin(pattern: RegExp, milliseconds: number): Promise<boolean> {
    const said = this.console.match(pattern, milliseconds / 1000);
    return said.then(
      () => true,
      () => false,
    );
  }

  /** Lets a machine that was started with `awake` live for so long; what reading its memory takes does not count. */
  async lives(milliseconds: number): Promise<void> {
    for (;;) {
      const status = await this.#order('info status', 200);
      if (status.includes('VM status: running')) break;
      if (this.console.ended) throw new Error(`the machine does not go on: ${this.console.text.slice(-500)}`);
      // It was stopped before its memory was kept, and is so again once that has been read.
      if (/VM status: paused\s*$/m.test(status)) await this.#order('cont', 200);
      await sleep(50);
    }
    await sleep(milliseconds);
  }

  /** Stops it and keeps the memory in a file; the disk stays as it is. A machine started with `awake` goes on. */
  async sleep(memory: string): Promise<void> {
    await this.#order(`stop\nmigrate_set_parameter max-bandwidth 10G\nmigrate "exec:cat > ${memory}"\nquit`);
    await this.console.kill('SIGKILL');
  }

  /** @param patienceMs until the connection is given up; without it, it is QEMU that ends it. @returns what the monitor says. */
  #order(lines: string, patienceMs?: number): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      const socket = createConnection(this.#monitor);
      socket.on('data', (chunk) => {
        text += chunk;
      });
      // QEMU may not listen yet, and is gone after `quit`: who asks looks at what was said.
      socket.on('error', () => undefined);
      socket.once('close', () => resolve(text));
      socket.write(`${lines}\n`);
      if (patienceMs !== undefined) setTimeout(() => socket.destroy(), patienceMs);
    });
  }
}
