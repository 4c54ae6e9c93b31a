import type { IkeSaStatus } from '../ike/api.ts';
import type { ApplianceStatus } from '../supervisor/status.ts';
import type { MtuStatus } from '../tunnel/mtu.ts';
import type { PeerStatus, TunnelStatus } from '../tunnel/status.ts';
import { ask } from './control.ts';
import { table } from './table.ts';

const watchMs = 2000;
const clearScreen = '\x1b[H\x1b[2J';

export async function statusCommand(options: { state: string; json?: boolean; watch?: boolean }): Promise<void> {
  while (options.watch) {
    const text = await ask(options.state, { kind: 'status' }).then(statusText, (error: Error) => `${error.message}\n`);
    process.stdout.write(`${clearScreen}${text}`);
    await new Promise((resolve) => setTimeout(resolve, watchMs));
  }
  const status = await ask(options.state, { kind: 'status' });
  process.stdout.write(options.json ? `${JSON.stringify(status, null, 2)}\n` : statusText(status));
  process.exitCode = status.problems.length > 0 ? 1 : 0;
}

function statusText(status: ApplianceStatus): string {
  const { tunnel } = status;
  const lines = [status.sentence, ...status.problems.slice(1), ...status.notes];
  if (tunnel) lines.push('', ...peersTable(tunnel), ...tunnel.peers.flatMap(peerLines), ...dropLines(tunnel));
  lines.push(...serviceLines(status), ...boxLines(status));
  return `${lines.join('\n')}\n`;
}

function boxLines({ hardware, temperatureCelsius, residentOctets }: ApplianceStatus): string[] {
  const warmth = temperatureCelsius === null ? [] : [`${temperatureCelsius.toFixed(0)} degrees Celsius`];
  return [
    '',
    [...(hardware === null ? [] : [hardware]), ...warmth, `${octets(residentOctets)} in use by moat`].join(', '),
  ];
}

function serviceLines({ services }: ApplianceStatus): string[] {
  const rows = services.map(({ name, state, restarts, lastEnd }) => [name, state, String(restarts), lastEnd ?? '-']);
  return rows.length === 0 ? [] : ['', ...table(['SERVICE', 'STATE', 'RESTARTS', 'LAST END'], rows)];
}

function peersTable(tunnel: TunnelStatus): string[] {
  const rows = tunnel.peers.map(({ name, state, upSeconds, traffic, ike }) => [
    name,
    state,
    ike ? `${ike.path.remote.address}:${ike.path.remote.port}` : '-',
    upSeconds === null ? '-' : duration(upSeconds),
    `${traffic.packetsIn} / ${octets(traffic.octetsIn)}`,
    `${traffic.packetsOut} / ${octets(traffic.octetsOut)}`,
    String(traffic.lostIn),
  ]);
  return table(['PEER', 'STATE', 'ENDPOINT', 'UP', 'IN', 'OUT', 'LOST'], rows);
}

function peerLines(peer: PeerStatus): string[] {
  const lines: string[] = [];
  if (peer.retryInSeconds !== null && peer.state === 'waiting') {
    lines.push('', `${peer.name}: next call in ${peer.retryInSeconds} s after ${peer.failedAttempts} without success`);
  }
  if (peer.ike) lines.push('', ...ikeLines(peer.name, peer.ike));
  if (peer.mtu) lines.push(mtuLine(peer.mtu));
  if (peer.quantum) lines.push(`  recorded today, read by a quantum computer one day: ${peer.quantum}`);
  return lines;
}

function ikeLines(name: string, ike: IkeSaStatus): string[] {
  const nat = [ike.natLocal ? 'we are behind a NAT' : '', ike.natRemote ? 'the peer is behind a NAT' : ''];
  return [
    `${name}: IKE ${ike.cipher} ${ike.prf} ${exchange(ike)}, rekey in ${duration(ike.rekeyInSeconds)}` +
      `, ${ike.rekeys} rekeys${nat
        .filter((text) => text !== '')
        .map((text) => `, ${text}`)
        .join('')}`,
    ...ike.children.map(
      (child) =>
        `  ESP ${child.cipher}${child.esn ? ' esn' : ''} ${child.mode} mode in ${child.encapsulation === 'udp' ? 'UDP' : 'IP'}` +
        `, spi in ${child.spiIn} out ${child.spiOut}, rekey in ${duration(child.rekeyInSeconds)}, ${child.rekeys} rekeys`,
    ),
  ];
}

/** With a second exchange, recorded traffic stays closed to a quantum computer. */
function exchange({ keyExchange, additionalKeyExchange }: IkeSaStatus): string {
  return additionalKeyExchange === null
    ? `${keyExchange} (not safe from a future quantum computer)`
    : `${keyExchange} + ${additionalKeyExchange} (safe from a future quantum computer)`;
}

function mtuLine({ mode, fragmentsEnvelopes, pathMtu, pathMtuSource, searching }: MtuStatus): string {
  const path = `path ${pathMtu} octets, ${pathMtuSource}${searching ? ', searching' : ''}`;
  if (mode === 'aggfrag') return `  packets of any size in envelopes that fit the path (${path})`;
  return fragmentsEnvelopes
    ? `  LAST RESORT: the peer has no AGGFRAG; a packet that does not fit leaves in an envelope that IP fragments (${path})`
    : `  the peer has no AGGFRAG; senders of packets that do not fit are told (${path})`;
}

function dropLines({ dataplane, ikeDrops }: TunnelStatus): string[] {
  const drops = { ...dataplane?.drops, ...ikeDrops };
  const rows = Object.entries(drops).filter(([, count]) => count > 0);
  if (rows.length === 0) return [];
  return [
    '',
    ...table(
      ['DROPPED', 'PACKETS'],
      rows.map(([reason, count]) => [reason, String(count)]),
    ),
  ];
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  return whole < 172_800 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} d`;
}

function octets(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
