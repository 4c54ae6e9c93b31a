/** Disks of the machines: overlays over the image, so that each run begins anew, and ways to spoil them. */
import { closeSync, constants, copyFileSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { must } from '../lab/processes.ts';

const mib = 1_048_576;
/** As images/partitions.sh lays them out, in MiB. */
const layout = {
  bios: [1, 1],
  esp: [2, 16],
  state: [18, 4],
  config: [22, 32],
  'boot-a': [54, 48],
  'root-a': [102, 320],
  'boot-b': [422, 48],
  'root-b': [470, 320],
  data: [790, 256],
} as const;
export type Partition = keyof typeof layout;

export class Disk {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** A raw copy that shares blocks or at least keeps holes; raw, so that tests can spoil it where they like. */
  async copy(path: string): Promise<Disk> {
    try {
      copyFileSync(this.path, path, constants.COPYFILE_FICLONE_FORCE);
    } catch {
      await must(['cp', '--sparse=always', this.path, path]);
    }
    return new Disk(path);
  }

  offset(partition: Partition): number {
    return layout[partition][0] * mib;
  }

  size(partition: Partition): number {
    return layout[partition][1] * mib;
  }

  read(partition: Partition, at: number, octets: number): Buffer {
    const buffer = Buffer.alloc(octets);
    const file = openSync(this.path, 'r');
    readSync(file, buffer, 0, octets, this.offset(partition) + at);
    closeSync(file);
    return buffer;
  }

  write(partition: Partition, at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.size(partition)) throw new RangeError(`beyond the end of ${partition}`);
    const file = openSync(this.path, 'r+');
    writeSync(file, bytes, 0, bytes.length, this.offset(partition) + at);
    closeSync(file);
  }

  flip(partition: Partition, at: number): void {
    const [octet = 0] = this.read(partition, at, 1);
    this.write(partition, at, Uint8Array.of(octet ^ 0x10));
  }

  /** What a person does with the medium in another computer. */
  async putFile(name: string, text: string): Promise<void> {
    const file = `${this.path}.put`;
    writeFileSync(file, text);
    await must(['mcopy', '-o', '-i', `${this.path}@@${this.offset('config')}`, file, `::${name}`]);
  }

  async getFile(name: string): Promise<string> {
    return must(['mtype', '-i', `${this.path}@@${this.offset('config')}`, `::${name}`]);
  }
}
