/** The images of releases in the portal's folder, and how one of them leaves it for one box. */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdDecompress } from 'node:zlib';
import { refuse } from '../facts/refusal.ts';
import { withFile } from './personal.ts';

const imageName = /^[A-Za-z0-9][\w.-]{0,150}\.img(\.zst)?$/;
/** What a box reads at its first start (rootfs/box/seed.ts). */
const tokenFile = 'moat-enroll.txt';

export interface BaseImage {
  readonly name: string;
  readonly octets: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The newest first; a folder that is not there has none. */
export function baseImages(folder: string): BaseImage[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => imageName.test(name))
    .map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name));
      return { name, octets: size, at: Math.round(mtimeMs) };
    })
    .sort((a, b) => b.at - a.at);
}

/** @throws {Refusal} for a name that is not one of `baseImages`. */
export function baseImagePath(folder: string, name: string): string {
  const found = baseImages(folder).some((image) => image.name === name);
  return found ? join(folder, name) : refuse('image', `there is no image '${name}' in ${folder}`, 'missing');
}

export interface PersonalImage {
  /** Of the image that it is made of; `.zst` is unpacked on the way. */
  readonly path: string;
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Told the octets of the disk so far. */
  progress?(octets: number): void;
}

/** gzip, because every flashing program reads that. @throws {Error} when the image is none of ours; `out` is then destroyed. */
export async function sendPersonalImage({ path, token, now, progress }: PersonalImage, out: Writable): Promise<void> {
  const file = { name: tokenFile, content: Buffer.from(`${token}\n`), at: now };
  const packed = createReadStream(path, { highWaterMark: 1 << 20 });
  const unpack = path.endsWith('.zst') ? [createZstdDecompress()] : [];
  const disk = unpack.reduce<Readable>((source, step) => {
    source.once('error', (error) => step.destroy(error));
    return source.pipe(step);
  }, packed);
  async function* counted(): AsyncGenerator<Buffer> {
    let octets = 0;
    for await (const chunk of withFile(disk, file)) {
      octets += chunk.length;
      progress?.(octets);
      yield chunk;
    }
  }
  try {
    // Level 1: most of it is a root that is compressed already, and zeros.
    await pipeline(Readable.from(counted(), { objectMode: false }), createGzip({ level: 1 }), out);
  } finally {
    packed.destroy();
    for (const step of unpack) step.destroy();
  }
}

/** `moat-1.0.0-pc-home-1.img.gz`. */
export function personalName(image: string, device: string): string {
  return `${image.replace(imageName, (whole) => whole.replace(/\.img(\.zst)?$/, ''))}-${device}.img.gz`;
}
