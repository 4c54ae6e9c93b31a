import type { Measure } from './measure.ts';
import type { Summaries } from './record.ts';
import { names } from './subjects.ts';

/** One thing that must be true of the medians of a run. */
export interface Bar {
  readonly title: string;
  readonly wanted: string;
  /** Nothing when the run did not measure what it takes. */
  readonly found: string | undefined;
  readonly passes: boolean;
}

type Median = (subject: string, measure: Measure) => number | undefined;
type Direction = readonly [up: Measure, down: Measure];

const wholeTcp: Direction = ['tcp1Up', 'tcp1Down'];
const cutTcp: Direction = ['cutTcp1Up', 'cutTcp1Down'];

/** All bars of the data plane that this benchmark measures. */
export function barsOf(results: Summaries): Bar[] {
  const median: Median = (subject, measure) => results.get(subject)?.[measure]?.median;
  const peers = [...results.keys()].filter((name) => name !== names.moat && name !== names.plain);
  return [
    throughputBar(median, { peer: names.strongswan, least: 5.8, measures: wholeTcp }),
    throughputBar(median, { peer: names.wireguard13, least: 2.2, measures: wholeTcp }),
    throughputBar(median, { peer: names.plain, least: 0.37, measures: wholeTcp }),
    throughputBar(median, { peer: names.wireguard13, least: 1.8, measures: cutTcp }),
    mostBar('gateways, CPU s per GB of TCP', median(names.moat, 'gateways'), 1.2),
    packetBar(median, peers),
    addedRoundTripBar(median, peers),
    mostBar('round trip under a saturating upload, p99, ms', thousandth(median(names.moat, 'rttLoadP99')), 5),
  ];
}

interface Comparison {
  readonly peer: string;
  readonly least: number;
  readonly measures: Direction;
}

/** Judged by the worse direction. */
function throughputBar(median: Median, { peer, least, measures }: Comparison): Bar {
  const ratios = measures.map((measure) => ratio(median(names.moat, measure), median(peer, measure)));
  const [up, down] = ratios;
  const known = up !== undefined && down !== undefined;
  return {
    title: `TCP, one stream${measures === cutTcp ? ', WAN that cuts' : ''}: moat to ${peer}`,
    wanted: `at least ${least}`,
    found: known ? `${up.toFixed(2)} up, ${down.toFixed(2)} down` : undefined,
    passes: known && Math.min(up, down) >= least,
  };
}

function packetBar(median: Median, peers: readonly string[]): Bar {
  const rates = peers.flatMap((name) => {
    const rate = median(name, 'udp64');
    return rate === undefined ? [] : [{ name, rate }];
  });
  const best = rates.sort((a, b) => b.rate - a.rate)[0];
  const found = ratio(median(names.moat, 'udp64'), best?.rate);
  return {
    title: `UDP 64 octets without loss: moat to the best peer${best ? ` (${best.name})` : ''}`,
    wanted: 'at least 2.5',
    found: found?.toFixed(2),
    passes: found !== undefined && found >= 2.5,
  };
}

function addedRoundTripBar(median: Median, peers: readonly string[]): Bar {
  const added = (name: string) => difference(median(name, 'rttIdleP50'), median(names.plain, 'rttIdleP50'));
  const others = peers.flatMap((name) => {
    const value = added(name);
    return value === undefined ? [] : [{ name, value }];
  });
  const best = others.sort((a, b) => a.value - b.value)[0];
  const own = added(names.moat);
  return {
    title: `round trip added, idle, median, us${best ? ` (best peer: ${best.name})` : ''}`,
    wanted: best ? `below ${best.value.toFixed(0)}` : 'below the best peer',
    found: best ? own?.toFixed(0) : undefined,
    passes: own !== undefined && best !== undefined && own < best.value,
  };
}

function mostBar(title: string, value: number | undefined, most: number): Bar {
  return { title, wanted: `at most ${most}`, found: value?.toFixed(2), passes: value !== undefined && value <= most };
}

const thousandth = (value: number | undefined) => (value === undefined ? undefined : value / 1e3);
const ratio = (a: number | undefined, b: number | undefined) => (a === undefined || !b ? undefined : a / b);
const difference = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a - b;
