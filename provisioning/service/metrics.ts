/** The text that Prometheus reads. */
import type { Queries } from '../db/database.ts';
import { lastRevision } from '../facts/change.ts';
import { fleetSummary } from '../fleet/page.ts';

export interface Counters {
  reports: number;
  waiting: number;
  listening: number;
  connections: number;
}

interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly values: readonly (readonly [labels: string, value: number])[];
}

export async function metricsText(queries: Queries, now: number, counters: Counters): Promise<string> {
  const { devices: _, ...byHealth } = await fleetSummary(queries, now);
  const { loss, trip } = await averages(queries, now);
  const metrics: Metric[] = [
    {
      name: 'moat_devices',
      type: 'gauge',
      help: 'Devices by health.',
      values: Object.entries(byHealth).map(([health, count]) => [`{health="${health}"}`, count]),
    },
    one('moat_revision', 'gauge', 'The last revision of the fleet.', await lastRevision(queries)),
    one(
      'moat_unconfirmed_devices',
      'gauge',
      'Enrolled devices that have not confirmed their newest configuration.',
      await unconfirmed(queries),
    ),
    one('moat_loss_permille', 'gauge', 'Mean loss that the devices report.', loss),
    one('moat_round_trip_milliseconds', 'gauge', 'Mean round trip that the devices report.', trip),
    one('moat_status_reports_total', 'counter', 'Status reports since the start.', counters.reports),
    one('moat_waiting_devices', 'gauge', 'Devices whose question for a configuration is held open.', counters.waiting),
    one('moat_listening_devices', 'gauge', 'Devices that are woken by datagrams.', counters.listening),
    one('moat_device_connections', 'gauge', 'Connections to the device API.', counters.connections),
    one('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss()),
    one(
      'process_cpu_seconds_total',
      'counter',
      'Processor time.',
      process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    ),
  ];
  return metrics.map(render).join('');
}

function one(name: string, type: Metric['type'], help: string, value: number): Metric {
  return { name, type, help, values: [['', value]] };
}

function render({ name, type, help, values }: Metric): string {
  const lines = values.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

async function unconfirmed(queries: Queries): Promise<number> {
  const { count } = await queries
    .selectFrom('compiled')
    .innerJoin('devices', 'devices.id', 'compiled.deviceId')
    .leftJoin('deviceStatus', 'deviceStatus.deviceId', 'compiled.deviceId')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('devices.archivedAt', 'is', null)
    .where('devices.state', '=', 'enrolled')
    .where((where) =>
      where.or([
        where('deviceStatus.confirmedRevision', 'is', null),
        where('deviceStatus.confirmedRevision', '<', where.ref('compiled.revision')),
      ]),
    )
    .executeTakeFirstOrThrow();
  return count;
}

async function averages(queries: Queries, now: number): Promise<{ loss: number; trip: number }> {
  const row = await queries
    .selectFrom('samples')
    .select(({ fn }) => [
      fn.avg<number | null>('lossPermille').as('loss'),
      fn.avg<number | null>('roundTripMs').as('trip'),
    ])
    .where('at', '>', now - 600_000)
    .executeTakeFirst();
  return { loss: Number(row?.loss ?? 0), trip: Number(row?.trip ?? 0) };
}
