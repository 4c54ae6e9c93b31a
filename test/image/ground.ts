/** What every story stands on: the street, the office, the image as built, and a disk that has been through its first start. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Box } from './box.ts';
import { Disk } from './disk.ts';
import { moatToml, Office } from './office.ts';
import type { Board, MachineOptions } from './qemu.ts';
import { Street } from './street.ts';

export interface GroundOptions {
  readonly image: string;
  /** For the record. */
  readonly imageName: string;
  readonly board: Board;
  /** How many cuts and damages of each kind. */
  readonly rounds: Rounds;
  readonly seed: number;
  /** Number of the first round of a series. */
  readonly from: number;
}

export interface Rounds {
  readonly running: number;
  readonly firstBoot: number;
  readonly updating: number;
  readonly damage: number;
}

export class Ground {
  readonly street: Street;
  readonly office: Office;
  readonly folder: string;
  readonly options: GroundOptions;
  readonly #image: Disk;
  #seasoned: { disk: Disk; publicKey: string } | null = null;
  #boxes: Box[] = [];
  #count = 0;

  private constructor(street: Street, folder: string, options: GroundOptions) {
    this.street = street;
    this.folder = folder;
    this.options = options;
    this.office = new Office(street, join(folder, 'office'));
    this.#image = new Disk(options.image);
  }

  static async open(folder: string, options: GroundOptions): Promise<Ground> {
    if (!existsSync(options.image))
      throw new Error(`there is no image ${options.image}: npm run image -- --board pc --no-compress`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const ground = new Ground(await Street.open(), folder, options);
    try {
      await ground.office.open();
      return ground;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  /** What a story that failed has left running would keep the next one from its cables. */
  async powerOff(): Promise<void> {
    for (const box of this.#boxes.splice(0)) await box.cut();
  }

  async close(): Promise<void> {
    await this.powerOff();
    await this.office.close();
    await this.street.close();
  }

  /** A disk as flashed, with moat.toml edited by hand. */
  async newDisk(name: string, more = ''): Promise<Disk> {
    const disk = await this.#image.copy(join(this.folder, `${name}.img`));
    await disk.putFile('moat.toml', moatToml(this.office.publicKey) + more);
    return disk;
  }

  /** A disk as flashed, with a token on the FAT partition: all else comes from the portal. */
  async enrollingDisk(name: string, token: string): Promise<Disk> {
    const disk = await this.#image.copy(join(this.folder, `${name}.img`));
    await disk.putFile('moat.toml', '[box]\nconsole = true\n');
    await disk.putFile('moat-enroll.txt', `${token}\n`);
    return disk;
  }

  start(disk: Disk, name: string, options?: MachineOptions): Box {
    this.#count++;
    const log = join(this.folder, `${name}-${this.#count}.console`);
    const box = Box.start(this.street, disk, log, { board: this.options.board, ...options });
    this.#boxes.push(box);
    return box;
  }

  /** Starts a new disk and lets its key in. @returns the key that the box showed. */
  async firstStart(disk: Disk, name: string, options?: MachineOptions): Promise<{ box: Box; publicKey: string }> {
    const box = this.start(disk, name, options);
    const publicKey = await box.publicKey();
    await this.office.admit(publicKey);
    return { box, publicKey };
  }

  /** From here on `seasoned` copies this disk, whose box has been up. */
  season(disk: Disk, publicKey: string): void {
    this.#seasoned = { disk, publicKey };
  }

  /** A copy of a disk whose box has been up once, and whose key the portal knows. Made on first use. */
  async seasoned(name: string): Promise<{ disk: Disk; publicKey: string }> {
    if (this.#seasoned === null) {
      const disk = await this.newDisk('seasoned');
      const { box, publicKey } = await this.firstStart(disk, 'seasoned');
      await box.works();
      await box.shell('sync');
      await box.cut();
      this.season(disk, publicKey);
    }
    if (this.#seasoned === null) throw new Error('there is a seasoned disk');
    const { disk, publicKey } = this.#seasoned;
    await this.office.admit(publicKey);
    return { disk: await disk.copy(join(this.folder, `${name}.img`)), publicKey };
  }

  /** Random, and the same for the same seed. @returns 0 to 1 */
  random(index: number): number {
    // SplitMix32: good enough to choose instants and places.
    let z = (this.options.seed + Math.imul(index + 1, 0x9e3779b9)) | 0;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 4_294_967_296;
  }
}
