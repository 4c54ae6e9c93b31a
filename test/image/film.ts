/**
 * One life of a machine with its memory and disk kept every few seconds: a round of a series goes on from any instant of it within
 * seconds, instead of playing from power on to there again.
 */
import { join } from 'node:path';
import type { Box } from './box.ts';
import type { Disk } from './disk.ts';
import type { Ground } from './ground.ts';
import type { MachineOptions } from './qemu.ts';

interface Still {
  /** Milliseconds of the machine's life since the film began. */
  readonly atMs: number;
  readonly disk: Disk;
  readonly memory: string;
  /** On the console until then. */
  readonly said: string;
}

/** A machine in the middle of its life. */
export interface Life {
  readonly box: Box;
  readonly disk: Disk;
  /** Everything on its console since power on. */
  readonly said: string;
}

export interface Scene {
  readonly name: string;
  readonly box: Box;
  /** What the machine writes to; it belongs to the film from now on. */
  readonly disk: Disk;
  readonly options?: MachineOptions;
  /** What the console says at the end of the film. */
  readonly until: RegExp;
}

/** Apart by so much: a round plays half of it again. */
const stillMs = 6000;
/** A machine that takes longer than this to its end hangs. */
const mostStills = 150;

export class Film {
  readonly lengthMs: number;
  readonly #stills: readonly Still[];
  readonly #ground: Ground;
  readonly #options: MachineOptions;

  private constructor(ground: Ground, stills: readonly Still[], lengthMs: number, options: MachineOptions) {
    this.#ground = ground;
    this.#stills = stills;
    this.lengthMs = lengthMs;
    this.#options = options;
  }

  /** From this instant of a running machine. The machine has ended when it returns. */
  static async record(ground: Ground, { name, box, disk, options = {}, until }: Scene): Promise<Film> {
    const stills: Still[] = [];
    let atMs = 0;
    let said = '';
    for (let machine = box, writes = disk; ; ) {
      const memory = join(ground.folder, `${name}-${stills.length}.memory`);
      await machine.sleep(memory);
      // What it said while it was put to sleep too.
      said += machine.console.text;
      stills.push({ atMs, disk: writes, memory, said });
      if (until.test(machine.console.text)) return new Film(ground, stills, atMs, options);
      if (stills.length > mostStills) throw new Error(`${name}: no ${until} after ${Math.round(atMs / 1000)} s`);
      writes = await writes.overlay(join(ground.folder, `${name}-${stills.length}.qcow2`));
      machine = ground.start(writes, name, { ...options, awake: memory });
      await machine.lives(0);
      const started = performance.now();
      await machine.saysWithin(until, stillMs);
      atMs += performance.now() - started;
    }
  }

  /** The machine as it was then, on a disk of its own. @param ms 0 to `lengthMs`, or a little after it. */
  async resume(ms: number, name: string): Promise<Life> {
    const still = this.#stills.findLast(({ atMs }) => atMs <= ms);
    if (still === undefined) throw new RangeError(`no instant ${ms} ms in a film of ${this.lengthMs} ms`);
    const disk = await still.disk.overlay(join(this.#ground.folder, `${name}.qcow2`));
    const box = this.#ground.start(disk, name, { ...this.#options, awake: still.memory });
    await box.lives(ms - still.atMs);
    return { box, disk, said: still.said + box.console.text };
  }
}
