/** IPv4 addresses as numbers, for ranges and the lease table; `lib/ip.ts` does the same with bigints for both families. */
export function ipv4ToNumber(address: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

export function ipv4FromNumber(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

export function ipv4Octets(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

export const unspecified = '0.0.0.0';
export const broadcast = '255.255.255.255';
