/** Revocation lists on the disk, so that a box that starts without a network knows what it knew before. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const ending = '.crl';

export class RevocationStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What was saved last; null when there is nothing, or nothing that can be read. */
  async load(url: string): Promise<Uint8Array | null> {
    return readFile(join(this.#directory, nameOf(url))).then(
      (octets) => new Uint8Array(octets),
      () => null,
    );
  }

  /** After a power cut there is the old one or the new one. @throws {Error} what the disk says; the old one is still good then. */
  async save(url: string, octets: Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o750 });
    const path = join(this.#directory, nameOf(url));
    const file = await open(`${path}.new`, 'w', 0o640);
    try {
      await file.writeFile(octets);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  }

  /** Lists of other addresses go: the disk holds no more than the configuration names. */
  async keepOnly(urls: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...urls].map(nameOf));
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) if (!wanted.has(name)) await rm(join(this.#directory, name), { force: true });
  }
}

function nameOf(url: string): string {
  return `${createHash('sha256').update(url).digest('hex')}${ending}`;
}
