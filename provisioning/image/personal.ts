/**
 * A personal image: the image of a release with one box's enrolment token in its partition for people, where a box looks for
 * `moat-enroll.txt` at its first start. Made while it streams: nothing is mounted, nothing is copied to a disk, and no more than the
 * head of one partition is in memory.
 */
import { addFile, bootSectorOctets, fatShape, type NewFile, type Patch } from './fat.ts';

/** Of the images that `npm run image` makes (images/partitions.sh). */
const partitionName = 'moat-config';
const sector = 512;
/** Protective MBR, GPT header, 128 entries of 128 octets (UEFI 2.10, 5.3). */
const tableOctets = 34 * sector;

/** Takes a stream of chunks apart into what is asked for. */
class Pull {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly so many octets. @throws {Error} when the stream ends before. */
  async take(octets: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.pass(octets)) chunks.push(chunk);
    // A copy: what is taken is written into.
    return Buffer.concat(chunks);
  }

  /** So many octets as they come. @throws {Error} when the stream ends before. */
  async *pass(octets: number): AsyncGenerator<Buffer> {
    for (let left = octets; left > 0; ) {
      const chunk = await this.#next();
      if (!chunk) throw new Error('the image ends too early');
      this.#rest = chunk.subarray(left);
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      yield piece;
    }
  }

  async *rest(): AsyncGenerator<Buffer> {
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
  }

  async #next(): Promise<Buffer | null> {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (rest.length > 0) return rest;
    const { value, done } = await this.#source.next();
    return done ? null : value;
  }
}

/** `image`: uncompressed. @throws {Error} for a disk that is none of ours, or has such a file already. */
export async function* withFile(image: AsyncIterable<Buffer>, file: NewFile): AsyncGenerator<Buffer> {
  const pull = new Pull(image);
  const table = await pull.take(tableOctets);
  const start = partitionStart(table);
  yield table;
  yield* pull.pass(start - tableOctets);
  const boot = await pull.take(bootSectorOctets);
  const shape = fatShape(boot);
  const head = Buffer.concat([boot, await pull.take(shape.dataOffset - boot.length)]);
  const patches = addFile(shape, head, file);
  const inHead = ({ offset }: Patch) => offset < shape.dataOffset;
  for (const { offset, octets } of patches.filter(inHead)) head.set(octets, offset);
  yield head;
  let at = shape.dataOffset;
  for (const { offset, octets } of patches.filter((patch) => !inHead(patch))) {
    yield* pull.pass(offset - at);
    await pull.take(octets.length);
    yield Buffer.from(octets);
    at = offset + octets.length;
  }
  yield* pull.rest();
}

/** Octet where the partition for people begins. */
function partitionStart(table: Buffer): number {
  if (table.toString('latin1', sector, sector + 8) !== 'EFI PART') throw new Error('this is no disk image with a GPT');
  const entrySize = table.readUInt32LE(sector + 84);
  const isPlain = table.readBigUInt64LE(sector + 72) === 2n && entrySize === 128;
  for (let at = 2 * sector; isPlain && at + entrySize <= table.length; at += entrySize) {
    const name = table.toString('utf16le', at + 56, at + 128).replace(/\0.*$/s, '');
    const first = Number(table.readBigUInt64LE(at + 32)) * sector;
    if (name === partitionName && first >= tableOctets && Number.isSafeInteger(first)) return first;
  }
  throw new Error(`this image has no partition '${partitionName}'`);
}
