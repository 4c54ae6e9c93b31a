import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import type { DatagramSocket } from '../../../../native/lan/index.ts';
import type { Endpoint } from '../../../lib/net.ts';
import { clientKeyOf } from '../clients.ts';
import { monotonic } from './clock.ts';
import { codeOf } from './errors.ts';
import { FrameReader, framed } from './framing.ts';
import { type Askable, openLanDatagrams } from './lan-datagrams.ts';

interface Listener {
  readonly endpoint: Endpoint;
  udp: DatagramSocket | undefined;
  tcp: Server | undefined;
  retry: NodeJS.Timeout | undefined;
}

/** Milliseconds; RFC 7766 6.2.3 asks for seconds of patience, a home has few of its connections to give away. */
const timing = { idle: 10_000, bindRetry: 250 } as const;
const connectionLimit = { all: 256, client: 16, inFlight: 64 } as const;

/** UDP and TCP on exactly the addresses given, and nowhere else. */
export class LanSockets {
  readonly #askable: Askable;
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Map<string, number>();

  constructor(askable: Askable) {
    this.#askable = askable;
  }

  /** Endpoints that are open for UDP and TCP. */
  get listening(): Endpoint[] {
    return [...this.#listeners.values()].filter(({ udp, tcp }) => udp && tcp).map(({ endpoint }) => endpoint);
  }

  /**
   * Makes `endpoints` the open ones. An address that the interface does not have yet is tried until it has it.
   * @throws what the system says, e.g. when something else listens there; what was open before stays open.
   */
  async listen(endpoints: readonly Endpoint[]): Promise<void> {
    const wanted = new Map(endpoints.map((endpoint) => [`${endpoint.address} ${endpoint.port}`, endpoint]));
    const added: string[] = [];
    try {
      for (const [id, endpoint] of wanted) {
        if (this.#listeners.has(id)) continue;
        added.push(id);
        await this.#open(id, endpoint);
      }
    } catch (error) {
      for (const id of added) this.#close(id);
      throw error;
    }
    for (const id of this.#listeners.keys()) if (!wanted.has(id)) this.#close(id);
  }

  close(): void {
    for (const id of this.#listeners.keys()) this.#close(id);
  }

  async #open(id: string, endpoint: Endpoint): Promise<void> {
    const listener: Listener = { endpoint, udp: undefined, tcp: undefined, retry: undefined };
    this.#listeners.set(id, listener);
    try {
      listener.udp = openLanDatagrams(endpoint, this.#askable);
      listener.tcp = await this.#openTcp(endpoint);
    } catch (error) {
      listener.udp?.close();
      listener.udp = undefined;
      if (codeOf(error) !== 'EADDRNOTAVAIL') throw error;
      listener.retry = setTimeout(() => this.#openAgain(id, endpoint), timing.bindRetry);
    }
    if (this.#listeners.get(id) !== listener) this.#shut(listener);
  }

  #openAgain(id: string, endpoint: Endpoint): void {
    if (!this.#listeners.has(id)) return;
    this.#open(id, endpoint).catch(() => {
      const listener = this.#listeners.get(id);
      if (listener) listener.retry = setTimeout(() => this.#openAgain(id, endpoint), timing.bindRetry * 8);
    });
  }

  #close(id: string): void {
    const listener = this.#listeners.get(id);
    this.#listeners.delete(id);
    if (listener) this.#shut(listener);
  }

  #shut(listener: Listener): void {
    clearTimeout(listener.retry);
    listener.udp?.close();
    listener.tcp?.close();
  }

  #openTcp({ address, port }: Endpoint): Promise<Server> {
    const server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    server.maxConnections = connectionLimit.all;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: true, exclusive: true }, () => {
        server.off('error', reject);
        server.on('error', ignore);
        resolve(server);
      });
    });
  }

  #serve(socket: TcpSocket): void {
    const from = socket.remoteAddress;
    const open = (from === undefined ? undefined : this.#connections.get(from)) ?? 0;
    if (from === undefined || open >= connectionLimit.client) {
      socket.destroy();
      return;
    }
    this.#connections.set(from, open + 1);
    socket.on('error', ignore);
    socket.setTimeout(timing.idle, () => socket.destroy());
    socket.on('close', () => this.#hungUp(from));
    // A link-local address comes with its interface.
    const key = clientKeyOf(from.split('%')[0] ?? from);
    serveFrames(socket, (bytes, reply) => {
      const admitted = this.#askable.admit(key, monotonic());
      this.#askable.message({ bytes, from, tcp: true, admitted, reply });
    });
  }

  #hungUp(from: string): void {
    const open = (this.#connections.get(from) ?? 1) - 1;
    if (open > 0) this.#connections.set(from, open);
    else this.#connections.delete(from);
  }
}

/** Questions of one connection may overlap (RFC 7766 6.2.1.1), but not without end: then it is not read from. */
function serveFrames(socket: TcpSocket, onFrame: (bytes: Buffer, reply: (answer: Buffer) => void) => void): void {
  const reader = new FrameReader();
  let inFlight = 0;
  const reply = (answer: Buffer) => {
    inFlight -= 1;
    if (socket.writable) socket.write(framed(answer));
    if (inFlight < connectionLimit.inFlight && socket.writableLength < 1024 * 1024) socket.resume();
  };
  socket.on('drain', () => socket.resume());
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) {
      inFlight += 1;
      onFrame(message, reply);
    }
    if (inFlight >= connectionLimit.inFlight || socket.writableLength >= 1024 * 1024) socket.pause();
  });
}

function ignore(): void {}
