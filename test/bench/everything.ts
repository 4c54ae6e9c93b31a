import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { World } from '../lab/world.ts';
import { compare } from './compare.ts';
import { nest } from './line/nest.ts';
import { type SweepName, sweep } from './line/sweep.ts';
import { writeRecord } from './record.ts';
import { report } from './results.ts';

export interface EverythingOptions {
  readonly folder?: string;
  readonly out?: string;
  /** Two rounds instead of three, and half of what is measured on the bad line: below twenty minutes. */
  readonly short?: boolean;
  readonly only?: readonly string[];
}

interface Part {
  readonly name: string;
  /** What it takes on a quiet machine. */
  readonly minutes: number;
  measure(file: string): Promise<void>;
}

/** Every part writes one file and takes about five minutes at most. */
function partsOf({ short = false, only }: EverythingOptions): readonly Part[] {
  const chosen = only ? { only } : {};
  const rounds = short ? 2 : 3;
  const peers = (number: number): Part => ({
    name: `peers-${number}`,
    minutes: 5,
    measure: (json) => compare({ quick: false, rounds: 1, json, ...chosen }),
  });
  const swept = (name: SweepName, minutes: number): Part => ({
    name,
    minutes: (minutes * rounds) / 3,
    measure: async (file) => writeRecord(file, await sweep(name, { rounds, ...chosen })),
  });
  const onBadLine = short ? { rounds: 3, fetches: 500 } : {};
  return [
    ...Array.from({ length: rounds }, (_, index) => peers(index + 1)),
    {
      name: 'nest',
      minutes: short ? 3 : 5,
      measure: async (file) => writeRecord(file, await nest({ ...onBadLine, ...chosen })),
    },
    swept('bitrate', 3),
    swept('delay', 3),
    swept('loss', 3),
  ];
}

/** Measures what has no file yet, then writes the report: ended early, it goes on where it was. */
export async function everything(options: EverythingOptions): Promise<void> {
  const folder = options.folder ?? fileURLToPath(new URL('../../.runs/bench/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const fileOf = (name: string) => join(folder, `${name}.json`);
  const parts = partsOf(options);
  for (const [index, { name, measure }] of parts.entries()) {
    if (existsSync(fileOf(name))) {
      console.log(`${name}: already there (${fileOf(name)})`);
      continue;
    }
    const left = parts.slice(index).filter((part) => !existsSync(fileOf(part.name)));
    const minutes = Math.ceil(left.reduce((sum, part) => sum + part.minutes, 0));
    console.log(`\n=== ${name}, part ${index + 1} of ${parts.length} (about ${minutes} min to go)`);
    const began = performance.now();
    await measure(`${fileOf(name)}.part`);
    await World.allDown();
    renameSync(`${fileOf(name)}.part`, fileOf(name));
    console.log(`=== ${name}: ${Math.round((performance.now() - began) / 1000)} s`);
  }
  const files = parts.map(({ name }) => fileOf(name));
  await report(files, options.out === undefined ? {} : { out: options.out });
}
