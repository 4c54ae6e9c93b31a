/**
 * Wake-up datagrams between a box and its portal's device API, so that a change arrives within a second and nobody holds a
 * connection for it. The box says hello every few seconds with the number of what it has; the portal answers with the number of
 * what there is, and says it again, unasked, when that changes. A number that differs means "ask by TLS": nothing else is
 * ever believed of a datagram.
 *
 *     hello:  "MWH1"  ticket (16)  counter (6)  number (6)  proof (16)
 *     wake:   "MWW1"  counter (6)  number (6)  proof (16)        counter: of the hello that it answers, or of the last one
 *
 * Ticket and key come with each answer by TLS. Proofs are HMAC-SHA-256, cut to 16 octets. An answer is smaller than its
 * question: nobody can be flooded with answers to a forged one.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Hello {
  /** 16 octets that mean something to the portal only. */
  readonly ticket: Uint8Array;
  /** Grows with each hello, so that one that was recorded moves nothing later. Below 2^48. */
  readonly counter: number;
  /** Of the configuration that the box has; below 2^48. */
  readonly number: number;
}

export type Wake = Omit<Hello, 'ticket'>;

const ticketOctets = 16;
const proofOctets = 16;
const helloOctets = 4 + ticketOctets + 6 + 6 + proofOctets;
const wakeOctets = 4 + 6 + 6 + proofOctets;

function proof(bytes: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(bytes).digest().subarray(0, proofOctets);
}

function sealed(magic: string, ticket: Uint8Array, { counter, number }: Wake, key: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + ticket.length + 12);
  head.write(magic, 'latin1');
  head.set(ticket, 4);
  head.writeUIntBE(counter, 4 + ticket.length, 6);
  head.writeUIntBE(number, 10 + ticket.length, 6);
  return Buffer.concat([head, proof(head, key)]);
}

export function encodeHello({ ticket, ...rest }: Hello, key: Uint8Array): Buffer {
  return sealed('MWH1', ticket, rest, key);
}

export function encodeWake(wake: Wake, key: Uint8Array): Buffer {
  return sealed('MWW1', new Uint8Array(), wake, key);
}

function opened(bytes: Uint8Array, magic: string, octets: number) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer.length !== octets || buffer.toString('latin1', 0, 4) !== magic) return null;
  const end = octets - proofOctets;
  return {
    ticket: buffer.subarray(4, end - 12),
    counter: buffer.readUIntBE(end - 12, 6),
    number: buffer.readUIntBE(end - 6, 6),
    /** Whether it was made with the key; to be asked before anything is believed. */
    holds: (key: Uint8Array) => timingSafeEqual(buffer.subarray(end), proof(buffer.subarray(0, end), key)),
  };
}

/** Null for anything that is no hello. */
export function decodeHello(bytes: Uint8Array) {
  return opened(bytes, 'MWH1', helloOctets);
}

/** Null for anything that is no wake-up. */
export function decodeWake(bytes: Uint8Array) {
  return opened(bytes, 'MWW1', wakeOctets);
}
