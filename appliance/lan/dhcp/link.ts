import { createSocket, type Socket } from 'node:dgram';
import { bindUdp, findInterface, openRaw, type RawSocket } from '../../../native/lan/index.ts';
import { encodeArpProbe } from './arp.ts';
import { encodeReplyFrame } from './frame.ts';
import { broadcast } from './ipv4.ts';
import type { Destination } from './message.ts';
import { clientPort, serverPort } from './numbers.ts';

export interface LinkEvents {
  received(octets: Uint8Array): void;
  arp(frame: Uint8Array): void;
  failed(problem: string): void;
}

/** The DHCP sockets of one interface. All are bound to it: nothing of another one comes in, nothing goes out there. */
export class Link {
  readonly index: number;
  readonly #address: string;
  readonly #mac: Uint8Array;
  readonly #unicast: Socket;
  readonly #broadcast: Socket;
  readonly #arp: RawSocket;
  readonly #frames: RawSocket;
  readonly #events: LinkEvents;

  /** @throws {Error} with `code` when the interface is not there or a socket cannot be had. */
  constructor(interfaceName: string, address: string, events: LinkEvents) {
    const found = findInterface(interfaceName);
    if (!found) throw Object.assign(new Error(`no interface ${interfaceName}`), { code: 'ENODEV' });
    this.index = found.index;
    this.#address = address;
    this.#mac = found.mac;
    this.#events = events;
    const open: { close(): unknown }[] = [];
    const keep = <T extends { close(): unknown }>(socket: T): T => {
      open.push(socket);
      return socket;
    };
    try {
      this.#arp = keep(openRaw(interfaceName, 'arp', (frame) => events.arp(frame)));
      this.#frames = keep(openRaw(interfaceName, 'frame', () => undefined));
      this.#unicast = keep(this.#udp(interfaceName, address));
      this.#broadcast = keep(this.#udp(interfaceName, broadcast));
    } catch (error) {
      for (const socket of open) socket.close();
      throw error;
    }
  }

  send(octets: Uint8Array, to: Destination): void {
    if (to.kind === 'datagram') {
      const port = to.port === 'server' ? serverPort : clientPort;
      this.#unicast.send(octets, port, to.address, (error) => {
        if (error) this.#events.failed(`sending to ${to.address}: ${error.message}`);
      });
      return;
    }
    const frame = encodeReplyFrame(octets, {
      sourceMac: this.#mac,
      destinationMac: to.mac,
      source: this.#address,
      destination: to.address,
    });
    if (!this.#frames.send(frame)) this.#events.failed(`sending a frame to ${to.mac}`);
  }

  /** Asks who has the address. */
  ask(address: string): void {
    if (!this.#arp.send(encodeArpProbe(this.#mac, address))) this.#events.failed(`sending an ARP probe for ${address}`);
  }

  close(): void {
    for (const socket of [this.#unicast, this.#broadcast, this.#arp, this.#frames]) socket.close();
  }

  #udp(interfaceName: string, address: string): Socket {
    const fd = bindUdp({ interface: interfaceName, address, port: serverPort });
    const socket = createSocket({ type: 'udp4' });
    socket.on('message', (octets) => this.#events.received(octets));
    socket.on('error', (error) => this.#events.failed(error.message));
    socket.bind({ fd, exclusive: true });
    return socket;
  }
}
