/**
 * Knocks at TCP and UDP ports, from inside a place. Usage: knock.ts ADDRESS tcp FIRST LAST | udp PORT,PORT... Prints JSON: the TCP ports that
 * let in (`open`) or said no (`closed`), the UDP ports whose host said that nobody is there (`closed`). Silence is what a firewall does.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [address = '', protocol = 'tcp', first = '1', last = '65535'] = process.argv.slice(2);
const atOnce = 2000;
/** An emulated machine that is busy takes its time. */
const patienceMs = 1500;

function knockTcp(port: number): Promise<'open' | 'closed' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const done = (what: 'open' | 'closed' | 'silent') => {
      socket.destroy();
      resolve(what);
    };
    socket.once('connect', () => done('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' ? 'closed' : 'silent'));
    setTimeout(() => done('silent'), patienceMs);
  });
}

function knockUdp(port: number): Promise<'closed' | 'silent'> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (what: 'closed' | 'silent') => {
      socket.removeAllListeners().on('error', () => undefined);
      resolve(what);
      socket.close();
    };
    socket.once('error', () => done('closed'));
    socket.connect(port, address, () => socket.send('knock', () => setTimeout(() => done('silent'), patienceMs)));
  });
}

const found: Record<string, number[]> = { open: [], closed: [], silent: [] };
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const ports = protocol === 'tcp' ? range(Number(first), Number(last)) : first.split(',').map(Number);
const knock = protocol === 'tcp' ? knockTcp : knockUdp;
for (let at = 0; at < ports.length; at += atOnce) {
  const some = ports.slice(at, at + atOnce);
  for (const [index, what] of (await Promise.all(some.map(knock))).entries()) found[what]?.push(some[index] ?? 0);
}
console.log(JSON.stringify({ open: found.open, closed: found.closed }));
