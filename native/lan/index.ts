import { createRequire } from 'node:module';

/** An interface as the kernel has it at this moment. `mac` six octets, `mtu` octets. */
export interface Interface {
  readonly index: number;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly up: boolean;
}

export interface UdpOptions {
  /** Datagrams of other interfaces never reach the socket, and none leaves through them (SO_BINDTODEVICE). */
  readonly interface: string;
  /** 255.255.255.255 hears broadcasts only; an IPv4 address may be one that the interface does not have yet. */
  readonly address: string;
  readonly port: number;
  /** IPv6 multicast group to join on the interface. */
  readonly group?: string;
}

/**
 * - `arp`: whole Ethernet frames; hears ARP replies only.
 * - `frame`: whole Ethernet frames; hears nothing.
 * - `router`: ICMPv6 messages; hears router solicitations with hop limit 255, sends with hop limit 255.
 */
export type RawKind = 'arp' | 'frame' | 'router';

export interface RawSocket {
  /** False when the kernel did not take it. `destination` (IPv6 text) for `router` only. */
  send(octets: Uint8Array, destination?: string): boolean;
  /** Idempotent; no callback comes after it. */
  close(): void;
}

/** `source` is the sender's address for `router`, empty otherwise. */
export type Received = (octets: Uint8Array, source: string) => void;

/** Slots of a batch and octets of each slot, as in datagrams.h. */
export const batchSlots = 64;
export const slotOctets = { question: 2048, answer: 1280, source: 32 } as const;

/**
 * Memory of datagrams on their way in and their answers on the way out; slot i of each part belongs to datagram i. One
 * batch may serve all sockets of a process, since each callback is done with it before the next.
 */
export interface Batch {
  readonly questions: Buffer;
  readonly answers: Buffer;
  /** As the kernel has them: family (two octets, the machine's order), port (big-endian), address at 4 (IPv4) or 8 (IPv6). */
  readonly sources: Buffer;
  /** 0: it did not fit its slot. */
  readonly questionLengths: Int32Array;
  /** 0, as it is when the callback begins: nothing is sent. */
  readonly answerLengths: Int32Array;
}

export function newBatch(): Batch {
  return {
    questions: Buffer.alloc(batchSlots * slotOctets.question),
    answers: Buffer.alloc(batchSlots * slotOctets.answer),
    sources: Buffer.alloc(batchSlots * slotOctets.source),
    questionLengths: new Int32Array(batchSlots),
    answerLengths: new Int32Array(batchSlots),
  };
}

/** UDP on one address. */
export interface DatagramSocket {
  /** An answer that took its time; `source`: a copy of the asker's slot. False when the kernel did not take it. */
  send(octets: Uint8Array, source: Uint8Array): boolean;
  /** Idempotent; no callback comes after it. */
  close(): void;
}

/** Slots 0 to `count` - 1 are filled; answers that are in the batch when it returns are sent. */
export type OnBatch = (count: number) => void;

interface Addon {
  findInterface(name: string): Interface | undefined;
  bindUdp(options: UdpOptions): number;
  RawSocket: new (interfaceName: string, kind: RawKind, received: Received) => RawSocket;
  DatagramSocket: new (address: string, port: number, batch: Batch, onBatch: OnBatch) => DatagramSocket;
}

/** Loads `native/build/lan.node`. @throws {Error} when it was not built (`make -C native/lan`). */
const addon = createRequire(import.meta.url)('../build/lan.node') as Addon;

/** Undefined when there is no such interface now. */
export function findInterface(name: string): Interface | undefined {
  return addon.findInterface(name);
}

/**
 * A bound UDP socket as a descriptor for `dgram`'s `bind({ fd })`, which takes ownership.
 * @throws {Error} with `code` (EADDRINUSE, ENODEV, EACCES, ...).
 */
export function bindUdp(options: UdpOptions): number {
  return addon.bindUdp(options);
}

/** @throws {Error} with `code`; EPERM without CAP_NET_RAW. */
export function openRaw(interfaceName: string, kind: RawKind, received: Received): RawSocket {
  return new addon.RawSocket(interfaceName, kind, received);
}

/** @throws {Error} with `code` (EADDRINUSE, EADDRNOTAVAIL, EACCES, ...). */
export function openDatagrams(address: string, port: number, batch: Batch, onBatch: OnBatch): DatagramSocket {
  return new addon.DatagramSocket(address, port, batch, onBatch);
}
