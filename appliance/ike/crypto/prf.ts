import { secretOctets } from '../../lib/secret.ts';
import type { Prf } from '../api.ts';
import { type HashName, hmac } from './hmac.ts';

const hashes: Readonly<Record<Prf, { readonly name: HashName; readonly length: number }>> = {
  'hmac-sha2-256': { name: 'sha256', length: 32 },
  'hmac-sha2-384': { name: 'sha384', length: 48 },
};

/** Octets of output, and the preferred length of a key (RFC 4868 2.1.2). */
export function prfLength(prf: Prf): number {
  return hashes[prf].length;
}

export function prfOf(prf: Prf, key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  return hmac(hashes[prf].name, key, ...data);
}

/** RFC 7296 2.13: prf+ (K,S) = T1 | T2 | ..., T(n) = prf (K, T(n-1) | S | n). `length` up to 255 blocks. */
export function prfPlus(
  prf: Prf,
  key: Uint8Array,
  { seed, length }: { readonly seed: readonly Uint8Array[]; readonly length: number },
): Uint8Array {
  const stream = secretOctets(length);
  let last: Uint8Array = new Uint8Array();
  for (let n = 1, at = 0; at < length; n += 1) {
    const block = prfOf(prf, key, last, ...seed, Uint8Array.of(n));
    stream.set(block.subarray(0, length - at), at);
    at += block.length;
    last.fill(0);
    last = block;
  }
  last.fill(0);
  return stream;
}
