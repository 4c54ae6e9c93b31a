import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { decodeRequest } from '../../../appliance/lan/dhcp/message.ts';
import { messageType } from '../../../appliance/lan/dhcp/numbers.ts';
import { seenReply } from '../../../appliance/lan/dhcp/testing.ts';
import { type CapturedPacket, parsePcap } from '../../lab/pcap.ts';
import { type Host, type Network, until } from './network.ts';

export type Kind =
  | 'discover'
  | 'offer'
  | 'selecting'
  | 'initReboot'
  | 'renewing'
  | 'rebinding'
  | 'ack'
  | 'nak'
  | 'decline'
  | 'release'
  | 'inform'
  | 'other';

export interface Seen {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: Kind;
  readonly mac: string;
  /** What the client asks for, gives back, or is given. */
  readonly address: string;
  readonly source: string;
  readonly destination: string;
}

/** tcpdump on one interface, read while it runs. */
export class Observer {
  readonly #file: string;
  readonly #process: ChildProcess;

  private constructor(file: string, process: ChildProcess) {
    this.#file = file;
    this.#process = process;
  }

  static async start(network: Network, where: { host: Host; interfaceName: string; file: string; filter: string }) {
    const { host, interfaceName, file, filter } = where;
    const command = [
      'tcpdump',
      '--immediate-mode',
      '-n',
      '-U',
      '-s0',
      '-Z',
      'root',
      '-i',
      interfaceName,
      '-w',
      file,
      ...filter.split(' '),
    ];
    const observer = new Observer(file, network.spawn(host, command));
    await until('tcpdump starts', 5, () => existsSync(file) && readFileSync(file).length >= 24);
    return observer;
  }

  packets(): CapturedPacket[] {
    return parsePcap(readFileSync(this.#file));
  }

  dhcp(): Seen[] {
    return this.packets().flatMap((packet) => seen(packet) ?? []);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill('SIGTERM');
    await once(this.#process, 'exit');
  }
}

function seen(packet: CapturedPacket): Seen | undefined {
  if (packet.version !== 4 || packet.protocol !== 17) return undefined;
  const octets = packet.octets.subarray((packet.octets.readUInt8(0) & 15) * 4 + 8, packet.length);
  const common = { at: packet.time * 1000, source: packet.source, destination: packet.destination };
  try {
    if (octets[0] === 2) return { ...common, ...replyOf(octets) };
    const request = decodeRequest(octets);
    const address = request.ciaddr === '0.0.0.0' ? (request.requestedAddress ?? '') : request.ciaddr;
    return { ...common, kind: requestKind(request, packet.destination), mac: request.mac, address };
  } catch {
    return undefined;
  }
}

function replyOf(octets: Uint8Array): Pick<Seen, 'kind' | 'mac' | 'address'> {
  const { type, yiaddr } = seenReply(octets, { kind: 'frame', mac: '', address: '' });
  const kinds: Record<number, Kind> = { 2: 'offer', 5: 'ack', 6: 'nak' };
  const mac = [...octets.subarray(28, 34)].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
  return { kind: kinds[type] ?? 'other', mac, address: yiaddr };
}

const plainKinds: Record<number, Kind> = {
  [messageType.discover]: 'discover',
  [messageType.decline]: 'decline',
  [messageType.release]: 'release',
  [messageType.inform]: 'inform',
};

/** RFC 2131 4.3.2, table 4 */
function requestKind(request: ReturnType<typeof decodeRequest>, destination: string): Kind {
  if (request.type !== messageType.request) return plainKinds[request.type] ?? 'other';
  if (request.serverIdentifier) return 'selecting';
  if (request.ciaddr === '0.0.0.0') return 'initReboot';
  return destination === '255.255.255.255' || request.giaddr !== '0.0.0.0' ? 'rebinding' : 'renewing';
}
