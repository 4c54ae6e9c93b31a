import { runFlow } from '../../lab/flow.ts';
import type { Impairment } from '../../lab/internet.ts';
import { median } from '../../lab/measures.ts';
import type { World } from '../../lab/world.ts';
import { type ComparisonRecord, origin } from '../record.ts';
import { chosen, type Started, start } from '../subjects.ts';
import { bulkTcp } from '../tcp.ts';
import { fetches, serve } from './fetches.ts';

/** What a point of a sweep is measured by. */
export interface Point {
  /** Of TCP, or of what arrived of the flow where its rate is what varies. Mbit/s. */
  readonly throughput: number;
  /** Mean change of the delay from packet to packet, milliseconds. */
  readonly jitter: number;
  /** Of the flow, percent. */
  readonly loss: number;
  /** Of a small fetch, median in milliseconds; not measured where the rate varies. */
  readonly http?: number;
}

export interface Sweep {
  readonly title: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** Whether all subjects may be measured at once, because it is the line that limits them. */
  readonly atOnce: boolean;
  measure(world: World, value: number, repetition: number): Promise<Point>;
}

/** An access line on which delay and loss are varied. */
const line: Impairment = { rateMbit: 20, queueMs: 50 };

async function onLine(world: World, impairment: Impairment): Promise<Point> {
  await world.internet.impair(impairment);
  const tcp = await bulkTcp(world, { streams: 1, seconds: 4, direction: 'down' });
  const flow = await runFlow(world.pc, world.corp, flowOf(world, 2, 2));
  const small = await fetches(world, '/small', 24, 2);
  return {
    throughput: tcp.bitsPerSecond / 1e6,
    jitter: flow.jitterUs / 1e3,
    loss: (flow.lost / flow.sent) * 100,
    http: median(small.ms),
  };
}

const flowOf = (world: World, rateMbit: number, seconds: number) => ({
  target: world.addresses.corp.v4,
  octets: 1228,
  rateMbit,
  seconds,
  settleMs: 250,
});

export const sweeps = {
  bitrate: {
    title: 'UDP bit rate sent',
    unit: 'Mbit/s',
    values: [50, 100, 200, 400, 800, 1600, 3200],
    atOnce: false,
    async measure(world, rateMbit) {
      const flow = await runFlow(world.pc, world.corp, flowOf(world, rateMbit, 1));
      return {
        throughput: flow.bitsPerSecond / 1e6,
        jitter: flow.jitterUs / 1e3,
        loss: (flow.lost / flow.sent) * 100,
      };
    },
  },
  delay: {
    title: 'Round trip of the line',
    unit: 'ms',
    values: [0, 10, 25, 50, 100, 200],
    atOnce: true,
    measure: (world, ms, seed) => onLine(world, { ...line, delayMs: ms / 2, seed }),
  },
  loss: {
    title: 'Packets lost by the line',
    unit: '%',
    values: [0, 0.1, 0.5, 1, 2, 5],
    atOnce: true,
    measure: (world, lossPercent, seed) => onLine(world, { ...line, delayMs: 10, lossPercent, seed }),
  },
} as const satisfies Readonly<Record<string, Sweep>>;
export type SweepName = keyof typeof sweeps;

export interface SweepSeries {
  readonly name: string;
  /** By value, the repetitions. */
  readonly points: readonly { readonly value: number; readonly repetitions: readonly Point[] }[];
}

export interface SweepRecord extends Pick<ComparisonRecord, 'takenAt' | 'commit' | 'machine'> {
  readonly kind: 'sweep';
  readonly sweep: SweepName;
  readonly series: readonly SweepSeries[];
}

export interface SweepOptions {
  readonly rounds?: number;
  readonly only?: readonly string[];
}

type Measured = Map<number, Point[]>;

/** Varies one thing. Repetition by repetition, so that what else goes on in the machine troubles all values alike. */
export async function sweep(name: SweepName, options: SweepOptions): Promise<SweepRecord> {
  const what: Sweep = sweeps[name];
  const started: Started[] = [];
  for (const subject of chosen(options.only)) started.push(await start(subject));
  await Promise.all(started.map(({ world }) => serve(world)));
  const measured = new Map<Started, Measured>(started.map((one) => [one, new Map()]));
  const rounds = options.rounds ?? 3;
  for (let round = 1; round <= rounds; round += 1) {
    for (const value of what.values) {
      console.log(`repetition ${round} of ${rounds}: ${what.title} ${value} ${what.unit}`);
      const one = async (subject: Started) => {
        const point = await what.measure(subject.world, value, round);
        const points = measured.get(subject);
        points?.set(value, [...(points.get(value) ?? []), point]);
      };
      if (what.atOnce) await Promise.all(started.map(one));
      else for (const subject of started) await one(subject);
    }
  }
  const series = [...measured].map(([subject, points]) => ({
    name: subject.name,
    points: [...points].map(([value, repetitions]) => ({ value, repetitions })),
  }));
  return { kind: 'sweep', ...origin(), sweep: name, series };
}
