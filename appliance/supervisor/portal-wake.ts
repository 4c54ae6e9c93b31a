/**
 * Listens for the portal's wake-up datagrams (lib/wake.ts). The hellos keep a NAT's door open; when none is answered (UDP is
 * eaten, the portal is old) `works` is false and the caller holds a question by TLS instead.
 */
import { createSocket, type Socket } from 'node:dgram';
import { decodeWake, encodeHello } from '../lib/wake.ts';
import type { WakeTicket } from './portal-turns.ts';

/** Below the 30 s after which the hastiest NATs forget a UDP conversation. */
const helloMs = 20_000;
/** How long the answer to a hello is waited for. */
export const helloAnswerMs = 1000;
const triesPerHello = 3;
/** How long UDP is left alone after nobody has answered. */
const sulkMs = 300_000;

export class WakeListener {
  readonly #woken: () => void;
  readonly #answerMs: number;
  #socket: Socket | null = null;
  #to = '';
  #ticket: WakeTicket | null = null;
  #timer: NodeJS.Timeout | undefined;
  #counter = 0;
  #sentAt = 0;
  #unanswered = 0;
  #works = false;
  #roundTripMs: number | null = null;

  /** `woken`: the portal has something else than we do. May be called again and again until `set` tells the new number. */
  constructor(woken: () => void, answerMs: number) {
    this.#woken = woken;
    this.#answerMs = answerMs;
  }

  get works(): boolean {
    return this.#works;
  }

  /** Of the last hello that was answered at once. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** After each answer by TLS: whom to say hello to, and what we have now. */
  set(address: string, ticket: WakeTicket | null): void {
    const to = `${address} ${ticket?.port}`;
    if (ticket === null || to !== this.#to) this.close();
    if (ticket === null) return;
    this.#ticket = ticket;
    this.#counter = 0;
    this.#to = to;
    // At once: so the portal knows that we know, and stops waking us.
    if (this.#socket === null) this.#open(address, ticket.port);
    else this.#hello();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.#to = '';
    this.#ticket = null;
    this.#works = false;
    this.#unanswered = 0;
  }

  #open(address: string, port: number): void {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    // No route, nobody listens: the missing answer says the same.
    socket.on('error', () => undefined);
    socket.on('message', (bytes) => this.#receive(bytes));
    socket.connect(port, address);
    socket.once('connect', () => this.#socket === socket && this.#hello());
    this.#socket = socket;
  }

  #hello(): void {
    const ticket = this.#ticket;
    if (!this.#socket || !ticket) return;
    clearTimeout(this.#timer);
    this.#counter += 1;
    this.#sentAt = performance.now();
    try {
      this.#socket.send(
        encodeHello({ ticket: ticket.ticket, counter: this.#counter, number: ticket.number }, ticket.key),
      );
    } catch {
      // Not connected yet, or no route: silence says so too.
    }
    this.#timer = setTimeout(() => this.#silence(), this.#answerMs);
  }

  #silence(): void {
    this.#unanswered += 1;
    if (this.#unanswered < triesPerHello) {
      this.#hello();
      return;
    }
    const worked = this.#works;
    this.#works = false;
    this.#unanswered = 0;
    this.#timer = setTimeout(() => this.#hello(), sulkMs);
    // Whoever relied on us must ask in another way now.
    if (worked) this.#woken();
  }

  #receive(bytes: Uint8Array): void {
    const wake = decodeWake(bytes);
    const ticket = this.#ticket;
    if (!wake || !ticket || wake.counter !== this.#counter || !wake.holds(ticket.key)) return;
    if (this.#sentAt > 0) this.#roundTripMs = performance.now() - this.#sentAt;
    this.#sentAt = 0;
    this.#unanswered = 0;
    this.#works = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hello(), helloMs * (0.75 + Math.random() / 4));
    if (wake.number !== ticket.number) this.#woken();
  }
}
