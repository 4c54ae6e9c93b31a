/**
 * A signed update: one line `moat-bundle-1 LENGTH SIGNATURE` (octets of the manifest, Ed25519 over it in base64), the manifest
 * in JSON, then boot.img and root.img. The manifest holds the SHA-256 of every chunk, so that writing can go on anywhere
 * after a cut, and only what differs from the slot is fetched.
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';

export const chunkOctets = 1_048_576;
/** A root of 320 MiB has 320 chunks of 64 digits: far below this. */
const longestManifest = 262_144;
/** Octets to read to be sure to have the first line. */
export const firstLineOctets = 128;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const part = z
  .strictObject({ octets: z.int().min(1).max(536_870_912), chunks: z.array(digest).max(512) })
  .refine(({ octets, chunks }) => chunks.length === Math.ceil(octets / chunkOctets), 'expected a digest per chunk');
const manifest = z.strictObject({
  version: z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}$/),
  /** Seconds since 1970 of the commit: what is newer among builds of one version. */
  serial: z.int().min(0),
  board: z.string().max(32),
  boot: part,
  root: part,
});
export type Manifest = z.output<typeof manifest>;
export type Part = 'boot' | 'root';

export interface Release {
  readonly version: string;
  readonly serial: number;
  readonly board: string;
}

/** An update that is not for this box; `reason` is one word for the portal's table. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: 'malformed' | 'signature' | 'board' | 'older' | 'same' | 'truncated' | 'content';

  constructor(reason: Refusal['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function describe(bytes: Uint8Array): Manifest['boot'] {
  const count = Math.ceil(bytes.length / chunkOctets);
  const chunks = Array.from({ length: count }, (_, i) =>
    digestOf(bytes.subarray(i * chunkOctets, (i + 1) * chunkOctets)),
  );
  return { octets: bytes.length, chunks };
}

/** The first line and the manifest; the two images follow. */
export function encodeHead(value: Manifest, key: KeyObject): Uint8Array {
  const body = Buffer.from(JSON.stringify(manifest.parse(value)));
  const line = `moat-bundle-1 ${body.length} ${sign(null, body, key).toString('base64')}\n`;
  return new Uint8Array(Buffer.concat([Buffer.from(line, 'latin1'), body]));
}

/** Where the manifest is and what signs it. @throws {Refusal} */
export function decodeFirstLine(bytes: Uint8Array): { from: number; to: number; signature: Uint8Array } {
  const text = Buffer.from(bytes.subarray(0, firstLineOctets)).toString('latin1');
  // The last digit of 64 octets in base64 has four bits to spare: they are zero, so that there is one way to write a signature.
  const match = /^moat-bundle-1 (\d{1,6}) ([A-Za-z0-9+/]{85}[AQgw]==)\n/.exec(text);
  if (!match || Number(match[1]) > longestManifest) throw new Refusal('malformed', 'this is no bundle for a moat');
  const from = match[0].length;
  return { from, to: from + Number(match[1]), signature: new Uint8Array(Buffer.from(match[2] ?? '', 'base64')) };
}

/** Believes nothing before the signature is right. @throws {Refusal} */
export function decodeManifest(body: Uint8Array, signature: Uint8Array, keys: readonly KeyObject[]): Manifest {
  if (!keys.some((key) => verify(null, body, key, signature))) {
    throw new Refusal('signature', 'the signature of the bundle is not from a key that this box trusts');
  }
  const result = manifest.safeParse(JSON.parse(Buffer.from(body).toString('utf8')));
  if (!result.success) throw new Refusal('malformed', `the manifest is wrong: ${result.error.issues[0]?.message}`);
  return result.data;
}

/** @throws {Refusal} for another board, and for anything not newer than what runs. */
export function admit(offered: Release, running: Release): void {
  if (offered.board !== running.board) {
    throw new Refusal('board', `the bundle is for ${offered.board}, this box is ${running.board}`);
  }
  const order = compare(offered, running);
  if (order === 0) throw new Refusal('same', `this box runs ${running.version} (${running.serial}) already`);
  if (order < 0) {
    const names = `${offered.version} (${offered.serial}) is not newer than ${running.version} (${running.serial})`;
    throw new Refusal('older', `the bundle ${names}`);
  }
}

function compare(a: Release, b: Release): number {
  const numbers = ({ version, serial }: Release) => [...version.split('.').map(Number), serial];
  const left = numbers(a);
  const right = numbers(b);
  const index = left.findIndex((number, at) => number !== right[at]);
  return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}

/** Every chunk with its place in the bundle and in the slot. */
export function chunksOf(value: Manifest, bodyEnd: number) {
  const parts = [
    { part: 'boot' as Part, base: bodyEnd, content: value.boot },
    { part: 'root' as Part, base: bodyEnd + value.boot.octets, content: value.root },
  ];
  return parts.flatMap(({ part, base, content }) =>
    content.chunks.map((hash, index) => {
      const at = index * chunkOctets;
      return {
        part,
        hash,
        slotOffset: at,
        bundleOffset: base + at,
        octets: Math.min(chunkOctets, content.octets - at),
      };
    }),
  );
}
