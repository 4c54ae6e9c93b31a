import { open, readFile, rename } from 'node:fs/promises';

/** The few things that the lease files need of a file system, so that a test can cut the power at each of them. */
export interface Disk {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** A new, empty file in place of any old one of that name. */
  create(path: string): Promise<AppendFile>;
  rename(from: string, to: string): Promise<void>;
  /** After it, renames in the directory survive a power cut. */
  syncDirectory(path: string): Promise<void>;
}

export interface AppendFile {
  append(octets: Uint8Array): Promise<void>;
  /** After it, what was appended survives a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const realDisk: Disk = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },

  async create(path) {
    const file = await open(path, 'w', 0o640);
    return {
      append: async (octets) => {
        let at = 0;
        while (at < octets.length) at += (await file.write(octets, at)).bytesWritten;
      },
      sync: () => file.datasync(),
      close: () => file.close(),
    };
  },

  rename,

  async syncDirectory(path) {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
};
