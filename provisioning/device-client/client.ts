/** A box's side of the device API, for tests and benchmarks only: the real one is `appliance/supervisor/portal.ts`. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { textToSign } from '../../appliance/lib/device-call.ts';
import { publicText } from '../keys/files.ts';

export interface PortalDoor {
  readonly url: string;
  /** Base64 of the portal's API key: the only thing about its certificate that counts. */
  readonly apiKey: string;
  /** Own address to call from. */
  readonly localAddress?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export class DeviceClient {
  readonly #key: KeyObject;
  readonly #door: PortalDoor;
  readonly agent: Agent;
  readonly #seen = new WeakSet<Socket>();
  #challenge = '';
  #counter = 0;

  constructor(door: PortalDoor, privateKey: KeyObject) {
    this.#key = privateKey;
    this.#door = door;
    // Only the pinned key counts, so that no clock and no authority can lock a box out; see `#send`.
    this.agent = new Agent({ keepAlive: true, rejectUnauthorized: false, minVersion: 'TLSv1.3', maxCachedSessions: 0 });
  }

  get publicKey(): string {
    return publicText(this.#key);
  }

  /** Signs and sends; asks for a new challenge once when the server does not take ours any more. */
  async call(method: string, path: string, body = '', headers: Record<string, string> = {}): Promise<Answer> {
    const first = await this.send(method, path, body, { ...headers, ...this.sign(method, path, body) });
    const challenge = first.headers['moat-challenge'];
    if (first.status !== 401 || typeof challenge !== 'string') return first;
    this.#challenge = challenge;
    this.#counter = 0;
    return this.send(method, path, body, { ...headers, ...this.sign(method, path, body) });
  }

  sign(method: string, path: string, body: string): Record<string, string> {
    this.#counter += 1;
    const call = { method, path, body: Buffer.from(body), challenge: this.#challenge, counter: this.#counter };
    return {
      'moat-key': publicText(createPublicKey(this.#key)),
      'moat-challenge': this.#challenge,
      'moat-counter': String(this.#counter),
      'moat-signature': sign(null, textToSign(call), this.#key).toString('base64'),
    };
  }

  send(method: string, path: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const { url, apiKey, localAddress } = this.#door;
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.agent, headers, ...(localAddress ? { localAddress } : {}) };
      const out = request(new URL(path, url), options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      });
      out.on('socket', (socket: Socket) => {
        // Nothing of the request leaves before the key has been seen, once for each connection.
        if (this.#seen.has(socket)) out.end(body);
        else socket.once('secureConnect', () => this.#look(socket as TLSSocket, apiKey, out, body));
      });
      out.on('error', reject);
    });
  }

  #look(socket: TLSSocket, apiKey: string, out: ClientRequest, body: string): void {
    const shown = socket.getPeerX509Certificate()?.publicKey;
    if (!shown || publicText(shown) !== apiKey) {
      out.destroy(new Error('not the portal that was pinned'));
      return;
    }
    this.#seen.add(socket);
    out.end(body);
  }
}
