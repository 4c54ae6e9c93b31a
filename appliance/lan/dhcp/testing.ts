import { parseDhcpSlice } from '../../config/dhcp.ts';
import { Writer } from '../../lib/bytes.ts';
import { parseMac } from './arp.ts';
import { Exchange } from './exchange.ts';
import { ipv4Octets, unspecified } from './ipv4.ts';
import { LeaseTable } from './leases.ts';
import type { Destination } from './message.ts';
import { networksOf } from './network.ts';
import { messageType, option } from './numbers.ts';
import { decodeOptions, type RawOption, type RawOptions } from './options.ts';

// Clients for tests: written on their own, octet by octet, so that they share no mistake with the server's codec.

export interface ClientMessage {
  readonly type: number;
  readonly mac?: string;
  readonly xid?: number;
  readonly flags?: number;
  readonly hops?: number;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  readonly options?: readonly RawOption[];
}

export const testMac = '02:00:00:00:00:01';

export function clientMessage(message: ClientMessage): Uint8Array {
  const writer = new Writer()
    .u8(1)
    .u8(1)
    .u8(6)
    .u8(message.hops ?? 0)
    .u32(message.xid ?? 0x12345678)
    .u16(0)
    .u16(message.flags ?? 0)
    .bytes(ipv4Octets(message.ciaddr ?? unspecified))
    .bytes(new Uint8Array(8))
    .bytes(ipv4Octets(message.giaddr ?? unspecified))
    .bytes(parseMac(message.mac ?? testMac))
    .bytes(new Uint8Array(10 + 64 + 128))
    .u32(0x63825363);
  const options: RawOption[] = [[option.messageType, Uint8Array.of(message.type)]];
  if (message.requested) options.push([option.requestedAddress, ipv4Octets(message.requested)]);
  if (message.server) options.push([option.serverIdentifier, ipv4Octets(message.server)]);
  for (const [code, value] of [...options, ...(message.options ?? [])]) writer.u8(code).u8(value.length).bytes(value);
  return writer.u8(option.end).finish();
}

export interface SeenReply {
  readonly type: number;
  readonly xid: number;
  readonly yiaddr: string;
  readonly options: RawOptions;
  readonly octets: Uint8Array;
  readonly to: Destination;
}

export function seenReply(octets: Uint8Array, to: Destination): SeenReply {
  const options = decodeOptions(octets);
  const xid = new DataView(octets.buffer, octets.byteOffset).getUint32(4);
  const yiaddr = octets.subarray(16, 20).join('.');
  return { type: options.get(option.messageType)?.[0] ?? 0, xid, yiaddr, options, octets, to };
}

export const homeNetwork = {
  zone: 'work',
  interface: 'lan0',
  address: '10.0.0.1',
  prefix: '10.0.0.0/24',
  ranges: [{ first: '10.0.0.10', last: '10.0.0.14' }],
} as const;

/** A server without disk and wire: what it sends, asks and commits is kept in lists; the clock stands until moved. */
export class TestServer {
  readonly leases = new LeaseTable();
  readonly sent: SeenReply[] = [];
  readonly asked: string[] = [];
  readonly committed: string[] = [];
  readonly exchange: Exchange;
  now = 1_000_000;

  constructor(networks: readonly object[] = [homeNetwork], slice: object = { probeMilliseconds: 0 }) {
    this.exchange = new Exchange(this.leases, {
      commit: (leases) => {
        for (const { state, address } of leases) this.committed.push(`${state} ${address}`);
        return Promise.resolve();
      },
      send: (_network, octets, to) => this.sent.push(seenReply(octets, to)),
      ask: (_interfaceName, address) => this.asked.push(address),
      note: () => undefined,
    });
    this.configure(networks, slice);
  }

  configure(networks: readonly object[], slice: object = { probeMilliseconds: 0 }): void {
    const parsed = parseDhcpSlice({ networks, ...slice });
    this.exchange.configure({
      networks: networksOf(parsed),
      probeMs: parsed.probeMilliseconds,
      quarantineMs: parsed.quarantineSeconds * 1000,
    });
  }

  /** Sends the message; the reply, if there is one at once. */
  async say(message: ClientMessage, interfaceName = 'lan0'): Promise<SeenReply | undefined> {
    const before = this.sent.length;
    this.exchange.receive(interfaceName, clientMessage(message), this.now);
    await new Promise(setImmediate);
    return this.sent[before];
  }

  /** A whole DISCOVER, OFFER, REQUEST, ACK; the address. */
  async lease(mac: string, options: readonly RawOption[] = []): Promise<string | undefined> {
    const offer = await this.say({ type: messageType.discover, mac, options });
    if (!offer) return undefined;
    const request = { type: messageType.request, mac, requested: offer.yiaddr, server: '10.0.0.1', options };
    const ack = await this.say(request);
    return ack?.type === messageType.ack ? ack.yiaddr : undefined;
  }
}

export function macOf(number: number): string {
  const digits = number.toString(16).padStart(10, '0');
  return `02:${(digits.match(/../g) ?? []).join(':')}`;
}
