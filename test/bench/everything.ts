import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { World } from '../lab/world.ts';
import { compare } from './compare.ts';
import { nest } from './line/nest.ts';
import { sweep } from './line/sweep.ts';
import { writeRecord } from './record.ts';
import { report } from './results.ts';

export interface EverythingOptions {
  readonly folder?: string;
  readonly out?: string;
}

/** Every part writes one file and takes less than five minutes on a quiet machine. */
const parts: Readonly<Record<string, (file: string) => Promise<void>>> = {
  'peers-1': (json) => compare({ quick: false, rounds: 1, json }),
  'peers-2': (json) => compare({ quick: false, rounds: 1, json }),
  'peers-3': (json) => compare({ quick: false, rounds: 1, json }),
  nest: async (file) => writeRecord(file, await nest({})),
  bitrate: async (file) => writeRecord(file, await sweep('bitrate', {})),
  delay: async (file) => writeRecord(file, await sweep('delay', {})),
  loss: async (file) => writeRecord(file, await sweep('loss', {})),
};

/** Measures what has no file yet, then writes the report: ended early, it goes on where it was. */
export async function everything(options: EverythingOptions): Promise<void> {
  const folder = options.folder ?? fileURLToPath(new URL('../../.runs/bench/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const fileOf = (name: string) => join(folder, `${name}.json`);
  for (const [name, measure] of Object.entries(parts)) {
    if (existsSync(fileOf(name))) {
      console.log(`${name}: already there (${fileOf(name)})`);
      continue;
    }
    console.log(`\n=== ${name}`);
    const began = performance.now();
    await measure(`${fileOf(name)}.part`);
    await World.allDown();
    renameSync(`${fileOf(name)}.part`, fileOf(name));
    console.log(`=== ${name}: ${Math.round((performance.now() - began) / 1000)} s`);
  }
  await report(Object.keys(parts).map(fileOf), options.out === undefined ? {} : { out: options.out });
}
