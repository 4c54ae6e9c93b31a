import { files, type NestRecord } from '../line/nest.ts';
import { type Point, type SweepRecord, sweeps } from '../line/sweep.ts';
import type { Measure } from '../measure.ts';
import { type ComparisonRecord, type Summaries, summarize, summaryOf } from '../record.ts';
import { names } from '../subjects.ts';
import { type BarPanel, type BarRow, barPanel, barPanelHeight } from './bar-panel.ts';
import { figure, type Panel } from './figure.ts';
import { type LinePanel, linePanel } from './line-panel.ts';
import { barColorOf, styleOf } from './subject-style.ts';
import type { Svg } from './svg.ts';

type Taken = Pick<ComparisonRecord, 'takenAt' | 'machine' | 'commit'>;

const footer = ({ takenAt, machine, commit }: Taken, what: string) =>
  `${what}  ·  ${machine.processor}, ${machine.cores} cores for both gateways, both ends and the load  ·  Linux ${machine.kernel}  ·  ` +
  `${takenAt.slice(0, 10)}, moat ${commit}`;

const digits = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 3);

const bars = (panel: BarPanel): Panel => ({
  height: barPanelHeight(panel.rows.length),
  draw: (width) => barPanel(panel, width),
});

const lines = (panel: LinePanel): Panel => ({ height: 290, draw: (width) => linePanel(panel, width, 290) });

interface Shown {
  readonly title: string;
  readonly subtitle: string;
  readonly measures: readonly Measure[];
  /** Applied to the values. */
  readonly times?: number;
  /** Plain forwarding has no value of it. */
  readonly tunnelsOnly?: boolean;
}

const shown: readonly Shown[] = [
  { title: 'TCP, one stream', subtitle: 'Gbit/s, upload and download (paler)', measures: ['tcp1Up', 'tcp1Down'] },
  {
    title: 'TCP, the WAN cuts to 1500 octets',
    subtitle: 'Gbit/s, upload and download (paler)',
    measures: ['cutTcp1Up', 'cutTcp1Down'],
  },
  { title: 'UDP, 64 octets, without loss', subtitle: 'thousand packets a second', measures: ['udp64'] },
  {
    title: 'Price of a gigabyte',
    subtitle: 'processor seconds of both gateways, less is better',
    measures: ['gateways'],
    tunnelsOnly: true,
  },
  { title: 'Round trip, idle', subtitle: 'microseconds, median, less is better', measures: ['rttIdleP50'] },
  {
    title: 'Round trip during an upload',
    subtitle: 'milliseconds, 99th percentile, less is better',
    measures: ['rttLoadP99'],
    times: 1e-3,
  },
];

export function comparisonFigure(record: ComparisonRecord): Svg {
  const results = summarize(record);
  const rounds = Math.max(...record.subjects.map(({ samples }) => samples.length));
  return figure({
    title: 'moat beside its peers',
    subtitle:
      'Two gateways over a clean internet of MTU 1500. Medians of interleaved rounds; thin lines reach from the lowest to the highest.',
    footer: footer(record, times(rounds, 'round')),
    columns: 2,
    panels: shown.map((one) => bars(comparisonPanel(one, results))),
  });
}

function comparisonPanel({ times = 1, tunnelsOnly, measures, ...rest }: Shown, results: Summaries): BarPanel {
  const subjects = [...results].filter(([name]) => !(tunnelsOnly && name === names.plain));
  const rows = subjects.map(([name, summaries]): BarRow => {
    const own = measures.flatMap((measure) => summaries[measure] ?? []);
    return barRow(
      name,
      own.map(({ median, lowest, highest }) => ({
        value: median * times,
        lowest: lowest * times,
        highest: highest * times,
      })),
    );
  });
  return { ...rest, rows, format: digits };
}

const barRow = (name: string, list: BarRow['bars']): BarRow => ({
  name,
  color: barColorOf(name),
  bold: name === names.moat,
  bars: list,
});

const words = { text: 'compressible', noise: 'not compressible' } as const;

export function transfersFigure(record: NestRecord): Svg {
  const panels = files.map(([kind, octets]) => {
    const rows = record.results.map(({ name, transfers }) => {
      const seconds = transfers[`${kind}/${octets}`] ?? [];
      if (seconds.length === 0) return barRow(name, []);
      const { median, lowest, highest } = summaryOf(seconds);
      return barRow(name, [{ value: median, lowest, highest }]);
    });
    return bars({
      title: `${octets / 1000} kB, ${words[kind]}`,
      subtitle: 'seconds, less is better',
      rows,
      format: digits,
    });
  });
  const rounds = Math.max(
    ...record.results.flatMap(({ transfers }) => Object.values(transfers).map((list) => list.length)),
  );
  return figure({
    title: 'Six transfers over a bad line',
    subtitle: `${lineWords(record)}. Medians of ${times(rounds, 'repetition')}; thin lines reach from the fastest to the slowest.`,
    footer: footer(record, 'each subject on a line of its own'),
    columns: 2,
    panels,
  });
}

export const lineWords = ({ line }: NestRecord): string =>
  `${line.rateMbit} Mbit/s, ${(line.delayMs ?? 0) * 2} ms there and back, ${line.lossPercent} % lost and ${line.reorderPercent} % reordered each way`;

export function fetchesFigure(record: NestRecord): Svg {
  const series = record.results.map(({ name, small }) => ({
    style: styleOf(name),
    marks: false,
    points: slowerThan(small).map(({ ms, percent }) => ({ x: ms, y: percent, lowest: percent, highest: percent })),
  }));
  const count = Math.max(...record.results.map(({ small }) => small.length));
  const panel: LinePanel = {
    title: 'Share of fetches that took longer',
    subtitle: 'percent of all, logarithmic; less is better',
    xTitle: 'milliseconds from connecting to the last octet, logarithmic',
    x: 'logarithmic',
    y: 'logarithmic',
    least: 0.1,
    series: moatFirst(
      series,
      record.results.map(({ name }) => name),
    ),
  };
  return figure({
    title: `${count} small fetches over a bad line`,
    subtitle: `${lineWords(record)}. A kilobyte each, every one on a connection of its own.`,
    footer: footer(record, 'each subject on a line of its own'),
    columns: 1,
    panels: [{ height: 460, draw: (width) => linePanel(panel, width, 460) }],
    legend: record.results.map(({ name }) => ({ name, style: styleOf(name) })),
  });
}

/** How many percent took longer than each of them did. */
function slowerThan(values: readonly number[]): { ms: number; percent: number }[] {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((ms, index) => ({ ms, percent: (1 - (index + 1) / sorted.length) * 100 }));
}

export const times = (count: number, what: string) => (count === 1 ? `one ${what}` : `${count} ${what}s`);

function moatFirst<T>(series: readonly T[], order: readonly string[]): T[] {
  const own = order.indexOf(names.moat);
  return own < 0 ? [...series] : [...series.slice(own, own + 1), ...series.slice(0, own), ...series.slice(own + 1)];
}

interface SweepPanel {
  readonly title: string;
  readonly subtitle: string;
  readonly what: keyof Point;
  readonly y: LinePanel['y'];
  readonly least?: number;
}

const sweepPanels: readonly SweepPanel[] = [
  { title: 'Throughput', subtitle: 'Mbit/s', what: 'throughput', y: 'linear' },
  { title: 'Jitter', subtitle: 'milliseconds, logarithmic', what: 'jitter', y: 'logarithmic', least: 0.001 },
  { title: 'Loss', subtitle: 'percent of a UDP flow', what: 'loss', y: 'linear', least: 1 },
  { title: 'A small fetch over HTTP', subtitle: 'milliseconds, median', what: 'http', y: 'linear' },
];

const sweepTexts = {
  bitrate: {
    title: 'What arrives of a UDP flow',
    subtitle: 'Packets of 1200 octets at growing rates over a clean line.',
  },
  delay: {
    title: 'A line that gets longer',
    subtitle: 'A line of 20 Mbit/s: TCP download, a UDP flow of 2 Mbit/s, small fetches.',
  },
  loss: {
    title: 'A line that loses packets',
    subtitle:
      'A line of 20 Mbit/s and 20 ms that loses packets each way: TCP download, a UDP flow of 2 Mbit/s, small fetches.',
  },
} as const;

export function sweepFigure(record: SweepRecord): Svg {
  const sweep = sweeps[record.sweep];
  const measured = sweepPanels.filter(({ what }) =>
    record.series.some(({ points }) =>
      points.some(({ repetitions }) => repetitions.some((one) => one[what] !== undefined)),
    ),
  );
  const panels = measured.map(({ what, ...rest }) =>
    lines({
      ...rest,
      // The rates sent double from place to place: what follows them is a straight line.
      ...(record.sweep === 'bitrate' && what === 'throughput' && { y: 'logarithmic', subtitle: 'Mbit/s, logarithmic' }),
      xTitle: `${sweep.title}, ${sweep.unit}`,
      x: sweep.values,
      series: sweepSeries(record, what),
    }),
  );
  const { title, subtitle } = sweepTexts[record.sweep];
  const repetitions = Math.max(
    ...record.series.flatMap(({ points }) => points.map((point) => point.repetitions.length)),
  );
  return figure({
    title,
    subtitle: `${subtitle} Medians of ${times(repetitions, 'repetition')}; bands show their spread.`,
    footer: footer(record, sweep.atOnce ? 'each subject on a line of its own' : 'one subject at a time'),
    columns: panels.length === 3 ? 3 : 2,
    panels,
    legend: record.series.map(({ name }) => ({ name, style: styleOf(name) })),
  });
}

function sweepSeries(record: SweepRecord, what: keyof Point): LinePanel['series'] {
  const series = record.series.map(({ name, points }) => ({
    style: styleOf(name),
    marks: true,
    points: points.flatMap(({ value, repetitions }) => {
      const values = repetitions.flatMap((one) => one[what] ?? []);
      if (values.length === 0) return [];
      const { median, lowest, highest } = summaryOf(values);
      return [{ x: value, y: median, lowest, highest }];
    }),
  }));
  return moatFirst(
    series,
    record.series.map(({ name }) => name),
  );
}
