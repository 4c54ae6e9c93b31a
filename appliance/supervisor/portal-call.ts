/**
 * One call of the portal's device API. The portal's key is looked at after the handshake of every connection, before an octet of
 * the request leaves; sessions are never resumed, because a resumed one shows its certificate before its handshake is done.
 */
import { type KeyObject, sign } from 'node:crypto';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ed25519PublicText } from '../config/files.ts';
import { textToSign } from '../lib/device-call.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The host that answered, for the wake-up datagrams. */
  readonly address: string;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds that the portal may hold the answer back. */
  readonly heldSeconds?: number;
  readonly signal?: AbortSignal;
}

/** Milliseconds for connection, handshake and answer, besides what was asked to be held back. */
const patienceMs = 15_000;
const connectMs = 5000;
const longestAnswer = 4 * 1024 * 1024;

export class PortalCaller {
  readonly #apiKey: string;
  readonly #agent: Agent;
  readonly #trusted = new WeakSet<Socket>();
  #challenge = '';
  #counter = 0;

  /** `apiKey`: base64 of the 32 octets that are pinned. */
  constructor(apiKey: string) {
    this.#apiKey = apiKey;
    // Authorities, names and dates are not looked at: a wrong clock must not lock a box out. The key is; see `#look`.
    this.#agent = new Agent({
      keepAlive: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      maxCachedSessions: 0,
    });
  }

  /** Closes the connections that are kept; the next call makes a new one. */
  hangUp(): void {
    this.#agent.destroy();
  }

  /** Signs with `key`, and once more when the portal wants its newest challenge signed. @throws {Error} with a sentence. */
  async call(url: string, key: KeyObject, call: Call): Promise<Answer> {
    const first = await this.#send(url, key, call);
    const challenge = first.headers['moat-challenge'];
    if (first.status !== 401 || typeof challenge !== 'string') return first;
    this.#challenge = challenge;
    this.#counter = 0;
    return this.#send(url, key, call);
  }

  #signed(key: KeyObject, { method, path, body = '' }: Call): Record<string, string> {
    this.#counter += 1;
    const [challenge, counter] = [this.#challenge, this.#counter];
    const text = textToSign({ method, path, body: Buffer.from(body), challenge, counter });
    return {
      'moat-key': ed25519PublicText(key),
      'moat-challenge': challenge,
      'moat-counter': String(counter),
      'moat-signature': sign(null, text, key).toString('base64'),
    };
  }

  #send(url: string, key: KeyObject, call: Call): Promise<Answer> {
    const { method, path, body = '', heldSeconds = 0, signal } = call;
    const headers = {
      ...call.headers,
      ...this.#signed(key, call),
      'content-length': String(Buffer.byteLength(body)),
    };
    return new Promise((resolve, reject) => {
      const out = request(new URL(path, url), { method, agent: this.#agent, headers, ...(signal ? { signal } : {}) });
      const late = () => out.destroy(new Error('the portal did not answer in time'));
      let timer = setTimeout(late, connectMs);
      const connected = () => {
        clearTimeout(timer);
        timer = setTimeout(late, patienceMs + heldSeconds * 1000);
        out.end(body);
      };
      out.on('response', (response) => collect(response, resolve, reject));
      out.on('socket', (socket: Socket) => {
        if (this.#trusted.has(socket)) connected();
        else socket.once('secureConnect', () => this.#look(socket as TLSSocket, out) && connected());
      });
      out.on('error', reject);
      out.on('close', () => clearTimeout(timer));
    });
  }

  #look(socket: TLSSocket, out: ClientRequest): boolean {
    const { crv, x = '' } = socket.getPeerX509Certificate()?.publicKey.export({ format: 'jwk' }) ?? {};
    if (crv === 'Ed25519' && Buffer.from(x, 'base64url').toString('base64') === this.#apiKey) {
      this.#trusted.add(socket);
      return true;
    }
    out.destroy(new Error('what answers there is not the portal: it has another key than the one that was pinned'));
    return false;
  }
}

function collect(response: IncomingMessage, resolve: (answer: Answer) => void, reject: (error: Error) => void): void {
  const chunks: Buffer[] = [];
  const address = response.socket.remoteAddress ?? '';
  let octets = 0;
  response.on('data', (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > longestAnswer) response.destroy(new Error('the portal answers more than a configuration can be'));
    else chunks.push(chunk);
  });
  response.on('error', reject);
  response.on('end', () => {
    const text = Buffer.concat(chunks).toString('utf8');
    resolve({ status: response.statusCode ?? 0, headers: response.headers, text, address });
  });
}
