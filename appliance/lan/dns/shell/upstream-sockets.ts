import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { familyOf } from '../../../lib/ip.ts';
import type { ForwarderEvent, SendEffect } from '../forward/state.ts';
import { sentenceFor } from './errors.ts';
import { FrameReader, framed } from './framing.ts';

export type UpstreamEvent = Extract<ForwarderEvent<never>, { kind: 'reply' | 'error' }>;

/**
 * One socket for each attempt: the system chooses a random port for it, and since it is connected, only datagrams from
 * the server that was asked reach it, and the network's refusals are told at once.
 */
export class UpstreamSockets {
  readonly #onEvent: (event: UpstreamEvent) => void;
  readonly #open = new Map<number, () => void>();

  constructor(onEvent: (event: UpstreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  send(effect: SendEffect): void {
    if (effect.tcp) this.#sendTcp(effect);
    else this.#sendUdp(effect);
  }

  drop(attempt: number): void {
    this.#open.get(attempt)?.();
    this.#open.delete(attempt);
  }

  close(): void {
    for (const attempt of [...this.#open.keys()]) this.drop(attempt);
  }

  #sendUdp({ attempt, upstream, bytes }: SendEffect): void {
    const socket = createSocket(familyOf(upstream.address) === 4 ? 'udp4' : 'udp6');
    const failed = (error: unknown) => this.#failed(attempt, error);
    this.#open.set(attempt, () => socket.close());
    socket.on('error', failed);
    socket.on('message', (reply) => this.#event({ kind: 'reply', attempt, bytes: reply }));
    const ask = () => {
      socket.connect(upstream.port, upstream.address, (...[error]: unknown[]) => {
        if (error) failed(error);
        else if (this.#open.has(attempt)) socket.send(bytes, (problem) => problem && failed(problem));
      });
    };
    if (upstream.source === undefined) ask();
    else socket.bind({ address: upstream.source, port: 0 }, () => this.#open.has(attempt) && ask());
  }

  #sendTcp({ attempt, upstream, bytes }: SendEffect): void {
    const { address: host, port, source } = upstream;
    const socket = connect({ host, port, noDelay: true, ...(source !== undefined && { localAddress: source }) });
    const reader = new FrameReader();
    this.#open.set(attempt, () => socket.destroy());
    socket.on('error', (error) => this.#failed(attempt, error));
    socket.on('close', () => this.#failed(attempt, new Error('closed the connection')));
    socket.on('data', (chunk: Buffer) => {
      for (const reply of reader.push(chunk)) this.#event({ kind: 'reply', attempt, bytes: reply });
    });
    socket.write(framed(bytes));
  }

  #failed(attempt: number, error: unknown): void {
    this.#event({ kind: 'error', attempt, problem: sentenceFor(error) });
  }

  #event(event: UpstreamEvent): void {
    if (this.#open.has(event.attempt)) this.#onEvent(event);
  }
}
