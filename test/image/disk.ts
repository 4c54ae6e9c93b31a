/** Disks of the machines: raw copies of the image that tests can spoil where they like, and overlays for long series. */
import { closeSync, constants, copyFileSync, openSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
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
  readonly format: 'raw' | 'qcow2';

  constructor(path: string, format: 'raw' | 'qcow2' = 'raw') {
    this.path = path;
    this.format = format;
  }

  /** What is written from now on, in a file of its own: made at once, for series that all begin with this disk. */
  async overlay(path: string): Promise<Disk> {
    await must(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', this.path, '-F', this.format, path]);
    return new Disk(path, 'qcow2');
  }

  /** A raw copy that shares blocks or at least keeps holes. */
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
    // The last one: as large as the image was made, but for the copy of the partition table behind it.
    if (partition === 'data' && this.format === 'raw') return statSync(this.path).size - this.offset('data') - mib;
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
