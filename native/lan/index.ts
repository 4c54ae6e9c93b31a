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

interface Addon {
  findInterface(name: string): Interface | undefined;
  bindUdp(options: UdpOptions): number;
  RawSocket: new (interfaceName: string, kind: RawKind, received: Received) => RawSocket;
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
