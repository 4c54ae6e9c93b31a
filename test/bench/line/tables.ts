import { quantile } from '../../lab/measures.ts';
import { summaryOf } from '../record.ts';
import { formatNumber, type TitledTable } from '../report.ts';
import { files, type NestRecord } from './nest.ts';
import { type Point, type SweepRecord, sweeps } from './sweep.ts';

const cell = (values: readonly number[]): string => {
  if (values.length === 0) return '-';
  const { median, lowest, highest } = summaryOf(values);
  const spread = values.length > 1 ? ` (${formatNumber(lowest)}-${formatNumber(highest)})` : '';
  return `${formatNumber(median)}${spread}`;
};

const shares = [0.5, 0.9, 0.99];

/** Medians, in parentheses the fastest and the slowest; then the small fetches. */
export function nestTables(record: NestRecord): [transfers: TitledTable, small: TitledTable] {
  const transfers = record.results.map((one) => [
    one.name,
    ...files.map(([kind, octets]) => cell(one.transfers[`${kind}/${octets}`] ?? [])),
  ]);
  const small = record.results.map(({ name, small: ms, failed }) => [
    name,
    ...shares.map((share) => formatNumber(quantile(ms, share))),
    formatNumber(Math.max(...ms)),
    `${failed}`,
  ]);
  const head = files.map(([kind, octets]) => `${kind} ${octets / 1000} kB`);
  return [
    { title: 'Six transfers, seconds', cells: [['seconds', ...head], ...transfers] },
    {
      title: 'Small fetches, milliseconds',
      cells: [['ms', ...shares.map((share) => `p${share * 100}`), 'slowest', 'failed'], ...small],
    },
  ];
}

const columns: readonly (readonly [what: keyof Point, title: string])[] = [
  ['throughput', 'Throughput, Mbit/s'],
  ['jitter', 'Jitter, ms'],
  ['loss', 'Loss, %'],
  ['http', 'Small fetch over HTTP, ms'],
];

/** A table for each thing that depends on what varied. */
export function sweepTables(record: SweepRecord): TitledTable[] {
  const { title, unit, values } = sweeps[record.sweep];
  return columns.flatMap(([what, columnTitle]) => {
    const rows = record.series.map(({ name, points }) => [
      name,
      ...values.map((value) => {
        const repetitions = points.find((point) => point.value === value)?.repetitions ?? [];
        return cell(repetitions.flatMap((one) => one[what] ?? []));
      }),
    ]);
    if (rows.every((row) => row.slice(1).every((text) => text === '-'))) return [];
    return [{ title: `${columnTitle}, by ${title}`, cells: [['', ...values.map((v) => `${v} ${unit}`)], ...rows] }];
  });
}
