import { createCipheriv, createHash } from 'node:crypto';

export const chunkOctets = 65_536;
/** Where a marker is repeated, so that any packet of a transfer carries one. */
const markerEvery = 512;

/** Octets `index * chunkOctets` onwards of the endless content that a seed names: AES-CTR, so it does not compress. */
function contentChunk(seed: string, index: number, marker = ''): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(index) * BigInt(chunkOctets / 16), 8);
  const chunk = createCipheriv('aes-128-ctr', key, counter).update(Buffer.alloc(chunkOctets));
  if (marker !== '') for (let at = 0; at < chunkOctets; at += markerEvery) chunk.write(marker, at, 'latin1');
  return chunk;
}

/** The first `octets` of the content, chunk by chunk. */
export function* content(seed: string, octets: number, marker = ''): Generator<Buffer> {
  for (let at = 0; at < octets; at += chunkOctets) {
    const chunk = contentChunk(seed, at / chunkOctets, marker);
    yield octets - at < chunkOctets ? chunk.subarray(0, octets - at) : chunk;
  }
}

/** SHA-256 in hexadecimal of the first `octets` of the content. */
export function contentHash(seed: string, octets: number, marker = ''): string {
  const hash = createHash('sha256');
  for (const chunk of content(seed, octets, marker)) hash.update(chunk);
  return hash.digest('hex');
}

/** The page at `/` of the corporation's server. */
export const page = '<!doctype html><title>Intranet</title><h1>Welcome to the corporation</h1>\n';
