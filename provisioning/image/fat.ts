/**
 * A file put into a FAT16 volume that somebody else made, as a list of octets to write: nothing is mounted, and only the beginning of the
 * volume needs to be there (boot sector, tables, root directory). Names follow Microsoft's "FAT: General Overview of On-Disk
 * Format" 1.03 and its long-name extension.
 */

/** Octets to write over what is there; `offset` from the beginning of the volume. */
export interface Patch {
  readonly offset: number;
  readonly octets: Uint8Array;
}

export interface FatShape {
  readonly clusterOctets: number;
  readonly clusters: number;
  readonly tables: readonly { readonly offset: number; readonly octets: number }[];
  readonly root: { readonly offset: number; readonly entries: number };
  /** Where cluster 2 begins: the head of the volume ends here. */
  readonly dataOffset: number;
}

export const bootSectorOctets = 512;
const mostHeadOctets = 4 << 20;
const entryOctets = 32;
const endOfChain = 0xffff;

/** @throws {Error} unless the boot sector is that of a FAT16 volume of a sensible shape. */
export function fatShape(boot: Buffer): FatShape {
  const sectorOctets = boot.readUInt16LE(11);
  const clusterOctets = boot.readUInt8(13) * sectorOctets;
  const reserved = boot.readUInt16LE(14) * sectorOctets;
  const copies = boot.readUInt8(16);
  const entries = boot.readUInt16LE(17);
  const tableOctets = boot.readUInt16LE(22) * sectorOctets;
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const rootOffset = reserved + copies * tableOctets;
  const dataOffset = rootOffset + entries * entryOctets;
  const clusters = clusterOctets === 0 ? 0 : Math.floor((sectors * sectorOctets - dataOffset) / clusterOctets);
  // Fewer clusters would be FAT12, more FAT32: other sizes of their entries.
  const isFat16 = sectorOctets === 512 && clusters >= 4085 && clusters < 65_525 && tableOctets >= (clusters + 2) * 2;
  if (!isFat16 || copies < 1 || reserved < 1 || dataOffset > mostHeadOctets) throw new Error('this is no FAT16 volume');
  const tables = Array.from({ length: copies }, (_, copy) => ({
    offset: reserved + copy * tableOctets,
    octets: tableOctets,
  }));
  return { clusterOctets, clusters, tables, root: { offset: rootOffset, entries }, dataOffset };
}

export interface NewFile {
  /** A long name of letters, digits, dots and dashes. */
  readonly name: string;
  /** At most one cluster. */
  readonly content: Uint8Array;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** `head`: the volume up to `dataOffset`. @throws {Error} when the file is there already, or finds no room. */
export function addFile(shape: FatShape, head: Buffer, file: NewFile): Patch[] {
  const { tables, root, clusterOctets, dataOffset } = shape;
  if (file.content.length > clusterOctets) throw new Error(`${file.name} is too large for one cluster`);
  const cluster = freeCluster(shape, head);
  const shortName = shortNameOf(file.name);
  const entries = longEntries(file.name, shortName);
  const at = endOfRoot(root, head, shortName);
  if (at === 'there') throw new Error(`${file.name} is there already`);
  if (at + (entries.length + 1) * entryOctets > dataOffset) throw new Error('the root directory is full');
  const last = Buffer.alloc(2);
  last.writeUInt16LE(endOfChain);
  const content = Buffer.alloc(clusterOctets);
  content.set(file.content);
  return [
    ...tables.map(({ offset }) => ({ offset: offset + cluster * 2, octets: last })),
    { offset: at, octets: Buffer.concat([...entries, shortEntry(shortName, cluster, file)]) },
    { offset: dataOffset + (cluster - 2) * clusterOctets, octets: content },
  ];
}

function freeCluster({ tables, clusters }: FatShape, head: Buffer): number {
  const offset = tables[0]?.offset ?? 0;
  for (let cluster = 2; cluster < clusters + 2; cluster += 1) {
    if (head.readUInt16LE(offset + cluster * 2) === 0) return cluster;
  }
  throw new Error('the volume is full');
}

/** Where the first entry lies that was never used: everything from there on is free. `there`: the name is taken. */
function endOfRoot({ offset, entries }: FatShape['root'], head: Buffer, shortName: string): number | 'there' {
  for (let at = offset; at < offset + entries * entryOctets; at += entryOctets) {
    if (head[at] === 0) return at;
    if (head.toString('latin1', at, at + 11) === shortName) return 'there';
  }
  return offset + entries * entryOctets;
}

/** `MOAT-E~1TXT`: what every program makes of a long name that is the first of its kind. */
function shortNameOf(name: string): string {
  const dot = name.lastIndexOf('.');
  const part = (text: string) => text.toUpperCase().replace(/[^A-Z0-9-]/g, '');
  return (
    `${part(name.slice(0, dot)).slice(0, 6)}~1`.padEnd(8) +
    part(name.slice(dot + 1))
      .slice(0, 3)
      .padEnd(3)
  );
}

const lettersPerEntry = 13;
/** Where in an entry its letters stand. */
const letterPlaces = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** The last part first, as they lie on the disk. */
function longEntries(name: string, shortName: string): Buffer[] {
  const checksum = [...Buffer.from(shortName, 'latin1')].reduce(
    (sum, octet) => (((sum & 1) << 7) + (sum >> 1) + octet) & 0xff,
    0,
  );
  const count = Math.ceil(name.length / lettersPerEntry);
  return Array.from({ length: count }, (_, index) => {
    const order = count - index;
    const entry = Buffer.alloc(entryOctets);
    entry[0] = order | (index === 0 ? 0x40 : 0);
    entry[11] = 0x0f;
    entry[13] = checksum;
    for (const [place, offset] of letterPlaces.entries()) {
      const letter = (order - 1) * lettersPerEntry + place;
      // Behind the name one zero, then all ones.
      const unit = letter < name.length ? name.charCodeAt(letter) : letter === name.length ? 0 : 0xffff;
      entry.writeUInt16LE(unit, offset);
    }
    return entry;
  });
}

function shortEntry(shortName: string, cluster: number, { content, at }: NewFile): Buffer {
  const entry = Buffer.alloc(entryOctets);
  entry.write(shortName, 'latin1');
  entry[11] = 0x20;
  const time = new Date(at);
  const date = ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  for (const offset of [16, 18, 24]) entry.writeUInt16LE(date, offset);
  for (const offset of [14, 22]) entry.writeUInt16LE(clock, offset);
  entry.writeUInt16LE(cluster, 26);
  entry.writeUInt32LE(content.length, 28);
  return entry;
}
