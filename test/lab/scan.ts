/** Knocks at every TCP port and at UDP ports of one host, from inside a lab host; whatever answers is seen by a capture. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [target = '', from = '1', to = '65535'] = process.argv.slice(2);
const atOnce = 4000;
const patienceMs = 150;

async function knock(ports: readonly number[]): Promise<void> {
  const sockets = ports.map((port) => {
    const socket = connect({ host: target, port });
    socket.on('error', () => {});
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, patienceMs));
  for (const socket of sockets) socket.destroy();
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

for (let first = Number(from); first <= Number(to); first += atOnce) {
  await knock(range(first, Math.min(Number(to), first + atOnce - 1)));
}
const udp = createSocket(target.includes(':') ? 'udp6' : 'udp4');
udp.on('error', () => {});
for (const port of [...range(1, 1024), 1194, 1701, 1812, 1900, 3478, 4500, 5060, 5353, 5355, 51820]) {
  await new Promise((resolve) => udp.send('knock', port, target, resolve));
}
setTimeout(() => udp.close(), 300);
