/** The status as counters and gauges, in the text format of Prometheus. Pure. */
import type { ApplianceStatus } from './status.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Name, type, help, samples: a row for each family. */
type Family = readonly [string, 'counter' | 'gauge', string, readonly Sample[]];

export function metricsText(status: ApplianceStatus): string {
  return [...[...applianceFamilies(status), ...tunnelFamilies(status)].flatMap(familyLines), ''].join('\n');
}

function applianceFamilies({
  state,
  uptimeSeconds,
  residentOctets,
  logLinesLost,
  temperatureCelsius,
  services,
}: ApplianceStatus): Family[] {
  const restarts = services.map((each): Sample => [{ service: each.name }, each.restarts]);
  const running = services.map((each): Sample => [{ service: each.name }, each.state === 'running' ? 1 : 0]);
  const warmth: Sample[] = temperatureCelsius === null ? [] : [[{}, temperatureCelsius]];
  return [
    ['moat_up', 'gauge', 'Whether everything that should work does.', [[{}, state === 'up' ? 1 : 0]]],
    ['moat_uptime_seconds', 'gauge', 'Since the supervisor started.', [[{}, uptimeSeconds]]],
    ['moat_resident_bytes', 'gauge', 'Memory of all processes.', [[{}, residentOctets]]],
    ['moat_log_lines_lost_total', 'counter', 'Lines that standard output did not take.', [[{}, logLinesLost]]],
    ['moat_temperature_celsius', 'gauge', 'Of the first sensor.', warmth],
    ['moat_service_restarts_total', 'counter', 'Starts after the first.', restarts],
    ['moat_service_running', 'gauge', 'Whether the service runs.', running],
  ];
}

function tunnelFamilies({ tunnel }: ApplianceStatus): Family[] {
  const peers = tunnel?.peers ?? [];
  const each = (value: (peer: (typeof peers)[number]) => number): Sample[] =>
    peers.map((peer) => [{ peer: peer.name }, value(peer)]);
  const drops = Object.entries({ ...tunnel?.dataplane?.drops, ...tunnel?.ikeDrops });
  const dropped = drops.map(([reason, count]): Sample => [{ reason }, count]);
  return [
    ['moat_peer_up', 'gauge', 'Whether the peer has a tunnel.', each(({ state }) => (state === 'up' ? 1 : 0))],
    ['moat_peer_received_packets_total', 'counter', 'Inner packets.', each(({ traffic }) => traffic.packetsIn)],
    ['moat_peer_received_bytes_total', 'counter', 'Inner octets.', each(({ traffic }) => traffic.octetsIn)],
    ['moat_peer_sent_packets_total', 'counter', 'Inner packets.', each(({ traffic }) => traffic.packetsOut)],
    ['moat_peer_sent_bytes_total', 'counter', 'Inner octets.', each(({ traffic }) => traffic.octetsOut)],
    ['moat_peer_lost_packets_total', 'counter', 'ESP packets that never came.', each(({ traffic }) => traffic.lostIn)],
    ['moat_dropped_packets_total', 'counter', 'Packets and IKE messages dropped, by reason.', dropped],
  ];
}

function familyLines([name, type, help, samples]: Family): string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
