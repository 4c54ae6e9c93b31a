import { connect, type Socket } from 'node:net';
import type { Primary, SecondaryEvent } from '../secondary/secondary.ts';
import { sentenceFor } from './errors.ts';
import { FrameReader, framed } from './framing.ts';

/** The one TCP connection that a zone's machine may have to a primary. Events of a connection that was hung up never come. */
export class PrimaryConnection {
  readonly #onEvent: (event: SecondaryEvent) => void;
  readonly #source: string | undefined;
  #socket: Socket | undefined;

  /** `source`: local address to connect from. */
  constructor(source: string | undefined, onEvent: (event: SecondaryEvent) => void) {
    this.#source = source;
    this.#onEvent = onEvent;
  }

  connect({ address, port }: Primary): void {
    this.hangUp();
    const options = this.#source === undefined ? {} : { localAddress: this.#source };
    const socket = connect({ host: address, port, noDelay: true, ...options });
    const reader = new FrameReader();
    const event = (value: SecondaryEvent) => {
      if (this.#socket === socket) this.#onEvent(value);
    };
    const closed = (problem: string) => {
      if (this.#socket !== socket) return;
      this.hangUp();
      this.#onEvent({ kind: 'closed', problem });
    };
    this.#socket = socket;
    socket.on('connect', () => event({ kind: 'connected' }));
    socket.on('data', (chunk: Buffer) => {
      for (const bytes of reader.push(chunk)) event({ kind: 'message', bytes });
    });
    socket.on('error', (error) => closed(sentenceFor(error)));
    socket.on('close', () => closed('closed the connection'));
  }

  send(bytes: Buffer): void {
    this.#socket?.write(framed(bytes));
  }

  hangUp(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
