import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { fromHex } from '../../lib/bytes.ts';
import { joinSecret } from '../../lib/secret.ts';

/** What stands before the 32 octets of a key: PKCS #8 and SubjectPublicKeyInfo as RFC 8410 has them. */
const prefixes = {
  x25519: { private: fromHex('302e020100300506032b656e04220420'), public: fromHex('302a300506032b656e032100') },
  ed25519: { private: fromHex('302e020100300506032b657004220420'), public: fromHex('302a300506032b6570032100') },
} as const;

/** @throws {Error} of OpenSSL when the octets are no key. */
export function rawPrivateKey(curve: keyof typeof prefixes, octets: Uint8Array): KeyObject {
  const key = der(prefixes[curve].private, octets);
  try {
    return withoutStacks(() => createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  } finally {
    key.fill(0);
  }
}

/** @throws {Error} of OpenSSL when the octets are no key. */
export function rawPublicKey(curve: keyof typeof prefixes, octets: Uint8Array): KeyObject {
  const key = der(prefixes[curve].public, octets);
  return withoutStacks(() => createPublicKey({ key, format: 'der', type: 'spki' }));
}

function der(prefix: Uint8Array, key: Uint8Array): Buffer {
  const joined = joinSecret(prefix, key);
  return Buffer.from(joined.buffer, joined.byteOffset, joined.length);
}

/** Node learns that octets are no key object by catching four errors; collecting their stacks takes as long as the key itself. */
export function withoutStacks<Result>(work: () => Result): Result {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
