/**
 * Long series of power cuts: each round is a line in `.runs/image-series.txt` with kind, seed and number, so that a series can go on
 * where another run ended (`--from`, `--count`) and a round can be played again.
 */
import { execSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Ground } from './ground.ts';

const file = join(import.meta.dirname, '../../.runs/image-series.txt');

/** @param play one round; returns what happened, throws when the box did not come back. @throws {Error} at the end, when a round failed. */
export async function series(
  ground: Ground,
  kind: 'running' | 'firstBoot' | 'updating',
  play: (round: number) => Promise<string>,
): Promise<string> {
  const { seed, from, rounds } = ground.options;
  const failures: string[] = [];
  for (let round = from; round < from + rounds[kind]; round++) {
    // A series of hours waits here for whoever else needs the processors.
    if (process.env.MOAT_IMAGE_GATE) execSync(process.env.MOAT_IMAGE_GATE);
    const started = performance.now();
    const said = await play(round).catch((error: Error) => {
      failures.push(`round ${round}: ${error.message}`);
      return `FAILED ${error.message.split('\n')[0]}`;
    });
    const line = `${kind} image ${ground.options.imageName} seed ${seed} round ${round} (${Math.round((performance.now() - started) / 1000)} s): ${said}`;
    mkdirSync(dirname(file), { recursive: true });
    appendFileSync(file, `${line}\n`);
    console.log(line);
  }
  if (failures.length > 0) throw new Error(`${failures.length} of ${rounds[kind]} failed: ${failures.join('; ')}`);
  return `${rounds[kind]} cuts (rounds ${from} to ${from + rounds[kind] - 1}), every next start reached the tunnel`;
}

/** How far a box had come, by the last of these words on its console. */
export function phase(console: string): string {
  const phases = [
    [/moat: works in slot/, 'working'],
    [/update written/, 'update written'],
    [/moat: update to/, 'writing the update'],
    [/moat: public key/, 'services starting'],
    [/data partition:/, 'preparing'],
    [/root verified/, 'system starting'],
    [/moat: slot [ab]\n/, 'initramfs'],
    [/trying slot/, 'boot loader'],
  ] as const;
  // A box that restarted has every word twice: the one that was said last counts.
  const said = phases.map(([pattern, name]) => ({ name, at: lastIndex(console, pattern) }));
  const last = said.reduce((a, b) => (b.at > a.at ? b : a));
  return last.at < 0 ? 'firmware' : last.name;
}

function lastIndex(text: string, pattern: RegExp): number {
  return [...text.matchAll(new RegExp(pattern.source, 'g'))].at(-1)?.index ?? -1;
}
