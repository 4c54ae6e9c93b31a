import { isIPv4, isIPv6 } from 'node:net';
import type { Selector } from './net.ts';

export type Family = 4 | 6;

const familyBits: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** An address block: `address` is the text of its first address. */
export interface Prefix {
  readonly address: string;
  readonly length: number;
}

/** @throws {TypeError} when `text` is no address; scoped (`%eth0`) and IPv4-mapped addresses are none here. */
export function parseIp(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%') || text.toLowerCase().startsWith('::ffff:')) {
    throw new TypeError(`'${text}' is not an IPv4 or IPv6 address`);
  }
  return parseIpv6(text);
}

function parseIpv6(text: string): Uint8Array {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain = dotted ? text.slice(0, dotted.index) + dottedAsGroups(dotted) : text;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return Uint8Array.from(
    groups.map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255]),
  );
}

function dottedAsGroups(match: RegExpExecArray): string {
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1).map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** Canonical text of 4 or 16 octets: dotted, or RFC 5952. */
export function formatIp(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new TypeError(`an address has 4 or 16 octets, not ${octets.length}`);
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}

export function canonicalIp(text: string): string {
  return formatIp(parseIp(text));
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** The address as a number, for ranges and arithmetic. */
export function ipToNumber(address: string): bigint {
  return parseIp(address).reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

export function ipFromNumber(value: bigint, family: Family): string {
  const octets = new Uint8Array(familyBits[family] / 8);
  let left = value;
  for (let i = octets.length - 1; i >= 0; i -= 1) {
    octets[i] = Number(left & 255n);
    left >>= 8n;
  }
  return formatIp(octets);
}

/** @throws {TypeError} unless `text` is `address/length` with no bits set behind the prefix. */
export function parsePrefix(text: string): Prefix {
  const [addressText = '', lengthText = '', extra] = text.split('/');
  const address = canonicalIp(addressText);
  const family = familyOf(address);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : Number.NaN;
  if (extra !== undefined || !(length <= familyBits[family])) {
    throw new TypeError(`'${text}' is not a network: expected address/length with length 0 to ${familyBits[family]}`);
  }
  const first = firstAddress({ address, length });
  if (first !== address) throw new TypeError(`'${text}' has host bits set: the network is ${first}/${length}`);
  return { address, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${prefix.address}/${prefix.length}`;
}

function hostBits(prefix: Prefix): bigint {
  return BigInt(familyBits[familyOf(prefix.address)] - prefix.length);
}

function firstAddress(prefix: Prefix): string {
  const bits = hostBits(prefix);
  return ipFromNumber((ipToNumber(prefix.address) >> bits) << bits, familyOf(prefix.address));
}

export function lastAddress(prefix: Prefix): string {
  const mask = (1n << hostBits(prefix)) - 1n;
  return ipFromNumber(ipToNumber(prefix.address) | mask, familyOf(prefix.address));
}

/** The selector of every packet of a network: any protocol, any port. */
export function selectorOf(prefix: Prefix): Selector {
  return {
    startAddress: prefix.address,
    endAddress: lastAddress(prefix),
    protocol: 0,
    startPort: 0,
    endPort: 65535,
  };
}

export function prefixContains(prefix: Prefix, address: string): boolean {
  if (familyOf(prefix.address) !== familyOf(address)) return false;
  const bits = hostBits(prefix);
  return ipToNumber(prefix.address) >> bits === ipToNumber(address) >> bits;
}

/** The network of `length` bits that `address` is in. @throws {TypeError} when there are not so many bits. */
export function prefixOf(address: string, length: number): Prefix {
  const most = familyBits[familyOf(address)];
  if (!(length >= 0 && length <= most)) throw new TypeError(`the length of a network of ${address} is 0 to ${most}`);
  return { address: firstAddress({ address, length }), length };
}
