/** The socket of the wake-up datagrams: UDP, the same port number as the device API where it can be had. */
import { createSocket } from 'node:dgram';
import { Wakes } from './wakes.ts';

export interface WakeDesk {
  readonly wakes: Wakes;
  readonly port: number;
  /** `moat-wake: PORT TICKET KEY NUMBER`. */
  header(deviceId: number, number: number, now: number): string;
  close(): void;
}

const againMs = 100;
/** Octets of the kernel's queue: after a restart the hellos of a whole fleet come within 20 s. */
const queueOctets = 1 << 20;

/** @throws {Error} when the port cannot be had. */
export async function openWakeDesk(
  secret: Uint8Array,
  { listen, port }: { listen: string; port: number },
): Promise<WakeDesk> {
  const socket = createSocket({ type: listen.includes(':') ? 'udp6' : 'udp4', recvBufferSize: queueOctets });
  const wakes = new Wakes(secret, (datagram, to) => socket.send(datagram, to.port, to.address, () => undefined));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, listen, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  // Answers of routers to what we sent: the box is away.
  socket.on('error', () => undefined);
  socket.on('message', (bytes, from) => wakes.receive(bytes, from, Date.now()));
  const timer = setInterval(() => wakes.again(Date.now()), againMs);
  const bound = socket.address().port;
  return {
    wakes,
    port: bound,
    header(deviceId, number, now) {
      // Before the feed has told: whoever says hello with this number is up to date.
      wakes.changed([[deviceId, number]], now);
      const { ticket, key } = wakes.ticket(deviceId, now);
      const text = (octets: Uint8Array) => Buffer.from(octets).toString('base64url');
      return `${bound} ${text(ticket)} ${text(key)} ${number}`;
    },
    close() {
      clearInterval(timer);
      socket.close();
    },
  };
}
