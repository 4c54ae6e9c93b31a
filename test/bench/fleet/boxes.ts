/**
 * Ten thousand boxes in one process: each holds one TLS connection, on which it asks for its configuration (held open) and
 * then reports, again and again. Lean on purpose, so that what is measured is the portal. Driven by its parent over IPC.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from 'node:tls';
import { textToSign } from '../../../appliance/lib/device-call.ts';
import { publicText } from '../../../provisioning/keys/files.ts';

interface Start {
  readonly port: number;
  readonly seeds: readonly string[];
  readonly waitSeconds: number;
}

interface Answer {
  readonly status: number;
  readonly head: string;
}

const counts = { connected: 0, polls: 0, reports: 0, failures: 0, changed: 0, lastChangedAt: 0 };
/** One for all: each would read every certificate authority of the world again. */
const secureContext = createSecureContext({ ca: [] });
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

class Box {
  readonly #key: KeyObject;
  readonly #publicKey: string;
  readonly #socket: TLSSocket;
  #challenge = '';
  #counter = 0;
  #etag = '';
  #received = '';
  #answered: ((answer: Answer) => void) | null = null;

  constructor(seed: string, port: number, number: number) {
    this.#key = createPrivateKey({
      key: Buffer.concat([pkcs8, Buffer.from(seed, 'base64')]),
      format: 'der',
      type: 'pkcs8',
    });
    this.#publicKey = publicText(this.#key);
    // A household each: strangers' limits are per address.
    const localAddress = `127.1.${number >> 8}.${number & 255}`;
    const options: ConnectionOptions & { localAddress: string } = { host: '127.0.0.1', port, localAddress };
    this.#socket = connect({ ...options, secureContext, rejectUnauthorized: false });
    this.#socket.on('data', (chunk) => this.#receive(chunk.toString('latin1')));
    this.#socket.on('error', () => {
      counts.failures += 1;
    });
  }

  async live(waitSeconds: number): Promise<void> {
    await new Promise((done) => this.#socket.once('secureConnect', done));
    counts.connected += 1;
    const report = JSON.stringify({
      version: '1.0.0',
      health: 'up',
      doctor: 'All is well.',
      appliedRevision: 1,
      confirmedRevision: 1,
      tunnel: { lossPermille: 1, roundTripMs: 20, receivedKbps: 100, sentKbps: 10 },
    });
    for (let round = 0; ; round += 1) {
      // Spread over time from the beginning, as a fleet is.
      const wait = round < 2 ? Math.ceil(Math.random() * waitSeconds) : waitSeconds;
      const polled = await this.#call('GET', `/device/1/config?wait=${wait}`, '');
      const etag = /etag: "(\d+)"/i.exec(polled.head)?.[1] ?? '';
      if (this.#etag !== '' && etag !== this.#etag) {
        counts.changed += 1;
        counts.lastChangedAt = Date.now();
      }
      this.#etag = etag;
      if (polled.status === 200 || polled.status === 304) counts.polls += 1;
      else counts.failures += 1;
      const reported = await this.#call('POST', '/device/1/status', report);
      if (reported.status === 204) counts.reports += 1;
      else counts.failures += 1;
    }
  }

  async #call(method: string, path: string, body: string): Promise<Answer> {
    const first = await this.#send(method, path, body);
    const challenge = /moat-challenge: (\S+)/i.exec(first.head)?.[1];
    if (first.status !== 401 || !challenge) return first;
    this.#challenge = challenge;
    return this.#send(method, path, body);
  }

  #send(method: string, path: string, body: string): Promise<Answer> {
    this.#counter += 1;
    const call = { method, path, body: Buffer.from(body), challenge: this.#challenge, counter: this.#counter };
    const signature = sign(null, textToSign(call), this.#key).toString('base64');
    const condition = this.#etag === '' || method !== 'GET' ? '' : `if-none-match: "${this.#etag}"\r\n`;
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nhost: portal\r\nmoat-key: ${this.#publicKey}\r\nmoat-challenge: ${this.#challenge}\r\n` +
        `moat-counter: ${this.#counter}\r\nmoat-signature: ${signature}\r\n${condition}content-length: ${body.length}\r\n\r\n${body}`,
    );
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }

  #receive(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    this.#received = this.#received.slice(end + 4 + length);
    this.#answered?.({ status: Number(head.slice(9, 12)), head });
  }
}

/** Handshakes at once: more would only wait in the portal's queue until they time out. */
const handshakes = 40;

process.on('message', async ({ port, seeds, waitSeconds }: Start) => {
  for (const [number, seed] of seeds.entries()) {
    while (number - counts.connected - counts.failures >= handshakes) await new Promise((done) => setTimeout(done, 5));
    new Box(seed, port, number).live(waitSeconds);
  }
});
setInterval(() => process.send?.(counts), 500);
