import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  admit,
  chunkOctets,
  chunksOf,
  decodeFirstLine,
  decodeManifest,
  describe,
  digestOf,
  encodeHead,
  type Manifest,
  Refusal,
} from './bundle.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const boot = new Uint8Array(chunkOctets + 5).fill(1);
const root = new Uint8Array(2 * chunkOctets).fill(2);
const manifest: Manifest = { version: '1.2.3', serial: 7, board: 'pc', boot: describe(boot), root: describe(root) };
const head = encodeHead(manifest, privateKey);
const bundle = Buffer.concat([head, boot, root]);

function read(bytes: Uint8Array, keys = [publicKey]): Manifest {
  const { from, to, signature } = decodeFirstLine(bytes);
  return decodeManifest(bytes.subarray(from, to), signature, keys);
}

function refusal(action: () => unknown): string {
  try {
    action();
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof Refusal, `a refusal, not ${error}`);
    return error.reason;
  }
}

test('a bundle is read back, and every chunk is where it says', () => {
  assert.deepEqual(read(bundle), manifest);
  const { to } = decodeFirstLine(bundle);
  const chunks = chunksOf(manifest, to);
  assert.equal(chunks.length, 4);
  for (const { bundleOffset, octets, hash } of chunks) {
    assert.equal(digestOf(bundle.subarray(bundleOffset, bundleOffset + octets)), hash);
  }
  assert.equal((chunks.at(-1)?.bundleOffset ?? 0) + (chunks.at(-1)?.octets ?? 0), bundle.length);
});

test('one changed octet anywhere before the images is a refusal', () => {
  // With what follows: a length that grew takes in octets of the first image.
  const beginning = bundle.subarray(0, head.length + 1000);
  fc.assert(
    fc.property(fc.nat(head.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Uint8Array.from(beginning, (octet, index) => (index === at ? octet ^ flip : octet));
      assert.notEqual(
        refusal(() => read(damaged)),
        'accepted',
      );
    }),
  );
});

test('another key, another board, the same and an older version are refused', () => {
  assert.equal(
    refusal(() => read(bundle, [generateKeyPairSync('ed25519').publicKey])),
    'signature',
  );
  const running = { version: '1.2.3', serial: 7, board: 'pc' };
  assert.equal(
    refusal(() => admit(manifest, running)),
    'same',
  );
  assert.equal(
    refusal(() => admit(manifest, { ...running, version: '1.10.0', serial: 1 })),
    'older',
  );
  assert.equal(
    refusal(() => admit(manifest, { ...running, board: 'arm64-efi' })),
    'board',
  );
  assert.equal(
    refusal(() => admit(manifest, { ...running, serial: 6 })),
    'accepted',
  );
  assert.equal(
    refusal(() => admit(manifest, { ...running, version: '1.2.2', serial: 99 })),
    'accepted',
  );
});

test('what is no bundle, or only its beginning, is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
      assert.equal(
        refusal(() => read(bytes)),
        'malformed',
      ),
    ),
  );
  fc.assert(
    fc.property(fc.nat(head.length - 1), (length) =>
      assert.notEqual(
        refusal(() => read(head.subarray(0, length))),
        'accepted',
      ),
    ),
  );
});
