/**
 * Wake-up datagrams (appliance/lib/wake.ts): ten thousand boxes hear of a change within a second, and none holds a connection for it.
 * What is kept of a box that says hello is an address and three numbers. Tickets carry their own proof and come from a secret
 * that outlives a restart, so that boxes notice none.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { decodeHello, encodeWake } from '../../appliance/lib/wake.ts';

export interface From {
  readonly address: string;
  readonly port: number;
}

interface Listener extends From {
  readonly issuedAt: number;
  readonly counter: number;
  /** What the box has. */
  readonly number: number;
  readonly key: Uint8Array;
}

interface Ringing {
  tries: number;
  at: number;
}

export type SendDatagram = (datagram: Uint8Array, to: From) => void;

/** Milliseconds between wake-ups that stay without an answer; the hello every 20 s finds what all of them lost. */
const pauses = [100, 250, 500, 1000, 2000];

export class Wakes {
  readonly #secret: Uint8Array;
  readonly #send: SendDatagram;
  readonly #listeners = new Map<number, Listener>();
  readonly #numbers = new Map<number, number>();
  readonly #ringing = new Map<number, Ringing>();

  /** `secret`: that no stranger knows and a restart does not change, such as the API's private key. */
  constructor(secret: Uint8Array, send: SendDatagram) {
    this.#secret = new Uint8Array(hkdfSync('sha256', secret, '', 'moat wake tickets', 32));
    this.#send = send;
  }

  /** Boxes that listen. */
  get size(): number {
    return this.#listeners.size;
  }

  /** The header's ticket and key, for a device that has proven itself just now. `now` in milliseconds since 1970. */
  ticket(deviceId: number, now: number): { readonly ticket: Uint8Array; readonly key: Uint8Array } {
    const block = Buffer.alloc(16);
    block.writeUIntBE(deviceId, 0, 6);
    block.writeUIntBE(Math.floor(now), 6, 6);
    // One block with a zero tail under a key of our own: who cannot read it cannot make one either.
    const cipher = createCipheriv('aes-256-ecb', this.#secret, null).setAutoPadding(false);
    const ticket = Buffer.concat([cipher.update(block), cipher.final()]);
    return { ticket, key: this.#keyOf(ticket) };
  }

  #keyOf(ticket: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(ticket).digest();
  }

  /** What a device's configuration is numbered with now. Those who have another one are woken. */
  changed(numbers: Iterable<readonly [deviceId: number, number: number]>, now: number): void {
    for (const [deviceId, number] of numbers) {
      this.#numbers.set(deviceId, number);
      const listener = this.#listeners.get(deviceId);
      if (listener && listener.number !== number) this.#ring(deviceId, listener, { tries: 0, at: now }, now);
    }
  }

  /** Anything that came by UDP. */
  receive(bytes: Uint8Array, from: From, now: number): void {
    const hello = decodeHello(bytes);
    if (!hello) return;
    const { deviceId, issuedAt } = this.#opened(hello.ticket);
    if (deviceId === 0 || issuedAt > now + 60_000) return;
    const key = this.#keyOf(hello.ticket);
    if (!hello.holds(key)) return;
    const last = this.#listeners.get(deviceId);
    // Recorded and sent again: it must not lead the wake-ups elsewhere.
    if (last && (issuedAt < last.issuedAt || (issuedAt === last.issuedAt && hello.counter <= last.counter))) return;
    const { counter, number } = hello;
    const listener = { address: from.address, port: from.port, issuedAt, counter, number, key };
    this.#listeners.set(deviceId, listener);
    if (number === this.#numbers.get(deviceId)) this.#ringing.delete(deviceId);
    this.#tell(deviceId, listener);
  }

  /** Once more to those who have not answered; call it ten times a second. */
  again(now: number): void {
    for (const [deviceId, ringing] of this.#ringing) {
      const listener = this.#listeners.get(deviceId);
      if (ringing.at > now) continue;
      if (listener) this.#ring(deviceId, listener, ringing, now);
      else this.#ringing.delete(deviceId);
    }
  }

  #ring(deviceId: number, listener: Listener, { tries }: Ringing, now: number): void {
    this.#tell(deviceId, listener);
    const pause = pauses[tries];
    if (pause === undefined) this.#ringing.delete(deviceId);
    else this.#ringing.set(deviceId, { tries: tries + 1, at: now + pause });
  }

  #tell(deviceId: number, listener: Listener): void {
    // A device that is unknown by now has number 0: the box asks by TLS, and hears why.
    const number = this.#numbers.get(deviceId) ?? 0;
    this.#send(encodeWake({ counter: listener.counter, number }, listener.key), listener);
  }

  #opened(ticket: Uint8Array): { readonly deviceId: number; readonly issuedAt: number } {
    const decipher = createDecipheriv('aes-256-ecb', this.#secret, null).setAutoPadding(false);
    const block = Buffer.concat([decipher.update(ticket), decipher.final()]);
    if (block.readUInt32BE(12) !== 0) return { deviceId: 0, issuedAt: 0 };
    return { deviceId: block.readUIntBE(0, 6), issuedAt: block.readUIntBE(6, 6) };
  }
}
