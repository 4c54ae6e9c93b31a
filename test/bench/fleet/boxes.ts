/**
 * Ten thousand boxes in one process, lean on purpose, so that what is measured is the portal. Each does what
 * `appliance/supervisor/portal.ts` does where UDP passes: a hello every 15 to 20 s, a report once a minute over a connection of
 * its own with a full handshake, and a question by TLS when a wake-up shows another number. Driven by its parent over IPC.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from 'node:tls';
import { textToSign } from '../../../appliance/lib/device-call.ts';
import { decodeWake, encodeHello } from '../../../appliance/lib/wake.ts';
import { publicText } from '../../../provisioning/keys/files.ts';

interface Start {
  readonly port: number;
  readonly seeds: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly head: string;
}

const counts = { ready: 0, polls: 0, reports: 0, hellos: 0, wakes: 0, failures: 0, changed: 0, lastChangedAt: 0 };
/** One for all: each would read every certificate authority of the world again. */
const secureContext = createSecureContext({ ca: [], minVersion: 'TLSv1.3' });
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const reportMs = 60_000;
const helloMs = 20_000;
const patienceMs = 15_000;
const report = JSON.stringify({
  version: '1.0.0',
  health: 'up',
  doctor: 'All is well.',
  appliedRevision: 1,
  confirmedRevision: 1,
  tunnel: { lossPermille: 1, roundTripMs: 20, receivedKbps: 100, sentKbps: 10 },
});

class Box {
  readonly #key: KeyObject;
  readonly #publicKey: string;
  readonly #port: number;
  readonly #localAddress: string;
  #udp: Socket | null = null;
  #ticket = { ticket: Buffer.alloc(16), key: Buffer.alloc(32), number: 0 };
  #hellos = 0;
  #challenge = '';
  #counter = 0;
  #etag = '';
  #busy = false;

  constructor(seed: string, port: number, number: number) {
    this.#key = createPrivateKey({
      key: Buffer.concat([pkcs8, Buffer.from(seed, 'base64')]),
      format: 'der',
      type: 'pkcs8',
    });
    this.#publicKey = publicText(this.#key);
    this.#port = port;
    // A household each: strangers' limits are per address.
    this.#localAddress = `127.1.${number >> 8}.${number & 255}`;
  }

  /** Resolves when it has its configuration, has reported, and waits for wake-ups. */
  async begin(): Promise<void> {
    while (!(await this.#exchange(['config', 'status']))) await sleep(1000 + Math.random() * 2000);
    counts.ready += 1;
    const later = () => {
      setTimeout(later, reportMs * (0.9 + Math.random() / 5));
      void this.#exchange(['status']);
    };
    // Spread over time from the beginning, as a fleet is.
    setTimeout(later, Math.random() * reportMs);
  }

  /** A connection for these calls, and its end. False when it came to nothing. */
  async #exchange(calls: readonly ('config' | 'status')[]): Promise<boolean> {
    if (this.#busy) return false;
    this.#busy = true;
    try {
      const line = await this.#connect();
      for (const call of calls) {
        if (call === 'config') this.#heard(await this.#call(line, 'GET', '/device/1/config', ''));
        else this.#reported(await this.#call(line, 'POST', '/device/1/status', report));
      }
      line.end();
      return true;
    } catch {
      counts.failures += 1;
      return false;
    } finally {
      this.#busy = false;
    }
  }

  #reported({ status }: Answer): void {
    if (status === 204) counts.reports += 1;
    else counts.failures += 1;
  }

  #heard({ status, head }: Answer): void {
    if (status === 200 || status === 304) counts.polls += 1;
    else counts.failures += 1;
    const etag = /etag: "(\d+)"/i.exec(head)?.[1] ?? '';
    if (this.#etag !== '' && etag !== this.#etag) {
      counts.changed += 1;
      counts.lastChangedAt = Date.now();
    }
    this.#etag = etag;
    const [, port = '', ticket = '', key = '', number = ''] = /moat-wake: (\d+) (\S+) (\S+) (\d+)/i.exec(head) ?? [];
    this.#ticket = {
      ticket: Buffer.from(ticket, 'base64url'),
      key: Buffer.from(key, 'base64url'),
      number: Number(number),
    };
    this.#hellos = 0;
    this.#listen(Number(port));
  }

  #listen(port: number): void {
    if (this.#udp) {
      this.#hello();
      return;
    }
    const socket = createSocket('udp4');
    this.#udp = socket;
    socket.on('error', () => {
      counts.failures += 1;
    });
    socket.on('message', (bytes) => {
      const wake = decodeWake(bytes);
      if (!wake?.holds(this.#ticket.key)) return;
      counts.wakes += 1;
      if (wake.number !== this.#ticket.number) void this.#exchange(['config']);
    });
    socket.bind(0, this.#localAddress, () => {
      socket.connect(port, '127.0.0.1', () => {
        this.#hello();
        setInterval(() => this.#hello(), helloMs * (0.75 + Math.random() / 4));
      });
    });
  }

  #hello(): void {
    this.#hellos += 1;
    counts.hellos += 1;
    const { ticket, key, number } = this.#ticket;
    this.#udp?.send(encodeHello({ ticket, counter: this.#hellos, number }, key));
  }

  #connect(): Promise<TLSSocket> {
    const options: ConnectionOptions & { localAddress: string } = {
      host: '127.0.0.1',
      port: this.#port,
      localAddress: this.#localAddress,
    };
    return new Promise((resolve, reject) => {
      const socket = connect({ ...options, secureContext, rejectUnauthorized: false });
      socket.once('secureConnect', () => resolve(socket));
      socket.on('error', reject);
      socket.setTimeout(patienceMs, () => socket.destroy(new Error('too late')));
    });
  }

  async #call(line: TLSSocket, method: string, path: string, body: string): Promise<Answer> {
    const first = await this.#send(line, method, path, body);
    const challenge = /moat-challenge: (\S+)/i.exec(first.head)?.[1];
    if (first.status !== 401 || !challenge) return first;
    this.#challenge = challenge;
    return this.#send(line, method, path, body);
  }

  #send(line: TLSSocket, method: string, path: string, body: string): Promise<Answer> {
    this.#counter += 1;
    const call = { method, path, body: Buffer.from(body), challenge: this.#challenge, counter: this.#counter };
    const signature = sign(null, textToSign(call), this.#key).toString('base64');
    const condition = this.#etag === '' || method !== 'GET' ? '' : `if-none-match: "${this.#etag}"\r\n`;
    line.write(
      `${method} ${path} HTTP/1.1\r\nhost: portal\r\nmoat-key: ${this.#publicKey}\r\nmoat-challenge: ${this.#challenge}\r\n` +
        `moat-counter: ${this.#counter}\r\nmoat-signature: ${signature}\r\n${condition}content-length: ${body.length}\r\n\r\n${body}`,
    );
    return answerOf(line);
  }
}

function answerOf(line: TLSSocket): Promise<Answer> {
  let received = '';
  return new Promise((resolve, reject) => {
    const done = () => {
      line.off('data', take);
      line.off('close', gone);
    };
    const gone = () => {
      done();
      reject(new Error('closed'));
    };
    const take = (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = received.slice(0, end);
      if (received.length < end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      done();
      resolve({ status: Number(head.slice(9, 12)), head });
    };
    line.on('data', take);
    line.once('close', gone);
  });
}

/** Beginnings at once: more would only wait in the portal's queue until they time out. */
const beginners = 40;

process.on('message', async ({ port, seeds }: Start) => {
  const queue = seeds.map((seed, number) => ({ seed, number })).values();
  const worker = async () => {
    for (const { seed, number } of queue) await new Box(seed, port, number).begin();
  };
  await Promise.all(Array.from({ length: beginners }, worker));
});
setInterval(() => process.send?.(counts), 100);
