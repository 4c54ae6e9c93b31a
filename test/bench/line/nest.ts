import type { Impairment } from '../../lab/internet.ts';
import { type ComparisonRecord, origin } from '../record.ts';
import { chosen, type Started, start } from '../subjects.ts';
import { fetches, serve } from './fetches.ts';

/** The access line of the Nest report: both directions alike, so 100 ms there and back. */
const badLine: Impairment = {
  rateMbit: 1.5,
  delayMs: 50,
  lossPercent: 1,
  reorderPercent: 1,
  reorderPackets: 3,
  queueMs: 200,
};

/** Six files, half of them compressible. */
export const files = [
  ['text', 100_000],
  ['noise', 100_000],
  ['text', 300_000],
  ['noise', 300_000],
  ['text', 1_000_000],
  ['noise', 1_000_000],
] as const;

export interface NestResult {
  readonly name: string;
  readonly carries: string;
  /** Seconds of each repetition, by `KIND/OCTETS`. */
  readonly transfers: Readonly<Record<string, readonly number[]>>;
  /** Milliseconds of each small fetch. */
  readonly small: readonly number[];
  readonly failed: number;
}

export interface NestRecord extends Pick<ComparisonRecord, 'takenAt' | 'commit' | 'machine'> {
  readonly kind: 'nest';
  readonly line: Impairment;
  readonly results: readonly NestResult[];
}

export interface NestOptions {
  readonly rounds?: number;
  readonly fetches?: number;
  readonly only?: readonly string[];
}

/** All subjects at the same time, each on a line of its own: at this rate no processor is the limit. */
export async function nest(options: NestOptions): Promise<NestRecord> {
  const rounds = options.rounds ?? 5;
  const count = options.fetches ?? 1000;
  const started: Started[] = [];
  for (const subject of chosen(options.only)) started.push(await start(subject));
  console.log(`${started.length} lines of ${badLine.rateMbit} Mbit/s, six transfers ${rounds} times, ${count} fetches`);
  const results = await Promise.all(started.map((one) => measureLine(one, rounds, count)));
  return { kind: 'nest', ...origin(), line: badLine, results };
}

async function measureLine({ name, carries, world }: Started, rounds: number, count: number): Promise<NestResult> {
  await serve(world);
  const transfers: Record<string, number[]> = {};
  let failed = 0;
  for (let round = 1; round <= rounds; round += 1) {
    // The same luck for everybody, another in each round.
    await world.internet.impair({ ...badLine, seed: round });
    for (const [kind, octets] of files) {
      const result = await fetches(world, `/${kind}/${octets}`, 1);
      transfers[`${kind}/${octets}`] = [...(transfers[`${kind}/${octets}`] ?? []), ...result.ms.map((ms) => ms / 1000)];
      failed += result.failed;
    }
    console.log(`${name}: round ${round} of ${rounds}`);
  }
  const small = await fetches(world, '/small', count, 4);
  console.log(`${name}: ${small.ms.length} of ${count} small fetches`);
  return { name, carries, transfers, small: small.ms, failed: failed + small.failed };
}
