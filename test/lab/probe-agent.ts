/**
 * Runs in a lab host: answers on one TCP and UDP port (both families), and asks others for it. Lines of JSON on stdin are
 * questions, lines on stdout answers: true when the answer came in time.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';

export interface ProbeQuestion {
  readonly id: number;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly target: string;
  /** Source address; the kernel chooses when empty. */
  readonly source: string;
}

export const probePort = 7001;
const patienceMs = 700;

function askTcp({ target, source }: ProbeQuestion): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: target, port: probePort, ...(source ? { localAddress: source } : {}) });
    socket.setTimeout(patienceMs);
    socket.on('data', () => done(true));
    socket.on('error', () => done(false));
    socket.on('timeout', () => done(false));
    function done(answered: boolean): void {
      socket.destroy();
      resolve(answered);
    }
  });
}

function askUdp({ target, source }: ProbeQuestion): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(target.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => done(false), patienceMs);
    socket.on('message', () => done(true));
    // A refusal is an answer of somebody, but not of the one who was asked.
    socket.on('error', () => done(false));
    socket.bind({ address: source || undefined } as { address: string }, () => {
      socket.send('probe', probePort, target, (error) => error && done(false));
    });
    let over = false;
    function done(answered: boolean): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    }
  });
}

function askIcmp({ target, source }: ProbeQuestion): Promise<boolean> {
  const words = ['-n', '-q', '-c', '1', '-W', `${patienceMs / 1000}`, ...(source ? ['-I', source] : []), target];
  return new Promise((resolve) => {
    spawn('ping', words, { stdio: 'ignore' }).on('close', (code) => resolve(code === 0));
  });
}

function echoAt(address: string, only: boolean): void {
  const type = address.includes(':') ? 'udp6' : 'udp4';
  const echo = createSocket({ type, ipv6Only: only && type === 'udp6', reuseAddr: true });
  echo.on('message', (octets, from) => echo.send(octets, from.port, from.address));
  echo.bind(probePort, address);
}

if (import.meta.main) {
  echoAt('::', false);
  // From the very address that was asked, where there are several.
  for (const { address, scopeid } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    if (!scopeid) echoAt(address, true);
  }
  createServer((socket) => {
    socket.on('error', () => {});
    socket.end('hello');
  }).listen(probePort, '::', () => process.stdout.write('ready\n'));
  const ask = { tcp: askTcp, udp: askUdp, icmp: askIcmp };
  createInterface({ input: process.stdin }).on('line', (line) => {
    const question = JSON.parse(line) as ProbeQuestion;
    void ask[question.protocol](question).then((answered) => {
      process.stdout.write(`${JSON.stringify({ id: question.id, answered })}\n`);
    });
  });
}
