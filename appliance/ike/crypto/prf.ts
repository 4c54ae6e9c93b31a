import { concat } from '../../lib/bytes.ts';
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
export function prfPlus(prf: Prf, key: Uint8Array, input: { seed: Uint8Array; length: number }): Uint8Array {
  const blocks: Uint8Array[] = [];
  let last: Uint8Array = new Uint8Array();
  const count = Math.ceil(input.length / prfLength(prf));
  for (let n = 1; n <= count; n += 1) {
    last = prfOf(prf, key, last, input.seed, Uint8Array.of(n));
    blocks.push(last);
  }
  const stream = concat(...blocks);
  for (const block of blocks) block.fill(0);
  const wanted = stream.slice(0, input.length);
  stream.fill(0);
  return wanted;
}
