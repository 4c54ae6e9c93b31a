import { createSocket, type Socket } from 'node:dgram';
import { type ClientMessage, clientMessage, type SeenReply, seenReply } from '../../../appliance/lan/dhcp/testing.ts';
import { bindUdp } from '../../../native/lan/index.ts';

// Run inside a client's namespace: many clients behind one socket, told apart by their hardware addresses. They ask for
// broadcast replies, as clients do that cannot hear unicast before they have an address.

const broadcastFlag = 0x8000;

export interface ManyClients {
  /** The reply to this very transaction; undefined when none came in time. */
  ask(message: ClientMessage & { readonly mac: string }, milliseconds: number): Promise<SeenReply | undefined>;
  /** Octets as they are, and whoever answers. */
  throw(octets: Uint8Array): void;
  close(): void;
}

export function manyClients(): ManyClients {
  const fd = bindUdp({ interface: 'eth0', address: '0.0.0.0', port: 68 });
  const socket: Socket = createSocket('udp4');
  const waiting = new Map<number, (reply: SeenReply) => void>();
  let xid = Math.floor(Math.random() * 0x7fffffff);
  socket.on('message', (octets) => {
    const reply = seenReply(octets, { kind: 'frame', mac: '', address: '' });
    waiting.get(reply.xid)?.(reply);
  });
  socket.bind({ fd, exclusive: true });
  const send = (octets: Uint8Array) => socket.send(octets, 67, '255.255.255.255', () => undefined);
  return {
    ask: (message, milliseconds) =>
      new Promise((resolve) => {
        xid = (xid + 1) >>> 0;
        const own = xid;
        const done = (reply: SeenReply | undefined) => {
          clearTimeout(timer);
          waiting.delete(own);
          resolve(reply);
        };
        const timer = setTimeout(() => done(undefined), milliseconds);
        waiting.set(own, done);
        send(clientMessage({ flags: broadcastFlag, ...message, xid: own }));
      }),
    throw: send,
    close: () => socket.close(),
  };
}
