/** A small disk like those of `npm run image`: a GPT with one FAT16 partition for people, which holds one file. */
import { addFile, fatShape } from '../image/fat.ts';

const sector = 512;
export const partitionAt = 100 * sector;
const volumeSectors = 5000;

/** `name` of the partition; `change`: spoils the boot sector. */
export function smallDisk(name = 'moat-config', change: (boot: Buffer) => void = () => {}): Buffer {
  const disk = Buffer.alloc(partitionAt + (volumeSectors + 50) * sector, 0xee);
  disk.fill(0, 0, partitionAt + volumeSectors * sector);
  disk.write('EFI PART', sector, 'latin1');
  disk.writeBigUInt64LE(2n, sector + 72);
  disk.writeUInt32LE(128, sector + 84);
  // The second of the table's entries.
  disk.writeBigUInt64LE(BigInt(partitionAt / sector), 2 * sector + 128 + 32);
  disk.write(name, 2 * sector + 128 + 56, 'utf16le');
  const volume = disk.subarray(partitionAt, partitionAt + volumeSectors * sector);
  writeBootSector(volume);
  const shape = fatShape(volume);
  for (const { offset } of shape.tables) volume.write('f8ffffff', offset, 'hex');
  const old = { name: 'READ-ME.txt', content: Buffer.from('hello'), at: Date.UTC(2026, 0, 1) };
  for (const { offset, octets } of addFile(shape, volume.subarray(0, shape.dataOffset), old))
    volume.set(octets, offset);
  change(volume);
  return disk;
}

function writeBootSector(volume: Buffer): void {
  volume.write('eb3c906d6b66732e666174', 0, 'hex');
  volume.writeUInt16LE(sector, 11);
  volume.writeUInt8(1, 13); // sectors a cluster
  volume.writeUInt16LE(1, 14); // reserved
  volume.writeUInt8(2, 16); // tables
  volume.writeUInt16LE(512, 17); // root entries
  volume.writeUInt16LE(volumeSectors, 19);
  volume.writeUInt8(0xf8, 21);
  volume.writeUInt16LE(20, 22); // sectors a table
  volume.writeUInt16LE(32, 24); // sectors a track
  volume.writeUInt16LE(2, 26); // heads
  volume.writeUInt8(0x29, 38);
  volume.write('MOAT       FAT16   ', 43, 'latin1');
  volume.write('55aa', 510, 'hex');
}
