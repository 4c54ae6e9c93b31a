import {
  type CipherChaCha20Poly1305Types,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
} from 'node:crypto';
import type { IkeCipher } from '../api.ts';

/** Octets of the keys as KEYMAT yields them: RFC 5282 7.1, RFC 7634 2. */
export const saltLength = 4;
export const ivLength = 8;
export const tagLength = 16;

type OpenSslName = CipherGCMTypes | CipherChaCha20Poly1305Types;
const ciphers: Readonly<Record<IkeCipher, { readonly name: OpenSslName; readonly keyLength: number }>> = {
  'aes-128-gcm-16': { name: 'aes-128-gcm', keyLength: 16 },
  'aes-256-gcm-16': { name: 'aes-256-gcm', keyLength: 32 },
  'chacha20-poly1305': { name: 'chacha20-poly1305', keyLength: 32 },
};

/** Octets of key and salt. The ESP transforms of the same names take the same. */
export function keyMaterialLength(cipher: IkeCipher): number {
  return ciphers[cipher].keyLength + saltLength;
}

interface AeadInput {
  /** Key and salt. */
  readonly key: Uint8Array;
  /** 8 octets, unique for the key. */
  readonly iv: Uint8Array;
  readonly associated: Uint8Array;
  readonly data: Uint8Array;
}

function nonceOf(input: AeadInput): Uint8Array {
  const nonce = new Uint8Array(saltLength + ivLength);
  nonce.set(input.key.subarray(input.key.length - saltLength));
  nonce.set(input.iv, saltLength);
  return nonce;
}

/** Given octets, Node finds out what they are by catching two errors, which takes longer than all the rest. */
function cipherKey({ key }: AeadInput, length: number): KeyObject {
  return createSecretKey(key.subarray(0, length));
}

/** Ciphertext and tag. */
export function aeadSeal(cipher: IkeCipher, input: AeadInput): Uint8Array {
  const { name, keyLength } = ciphers[cipher];
  const options = { authTagLength: tagLength };
  const engine = createCipheriv(name as CipherGCMTypes, cipherKey(input, keyLength), nonceOf(input), options);
  engine.setAAD(input.associated, { plaintextLength: input.data.length });
  const sealed = new Uint8Array(input.data.length + tagLength);
  sealed.set(engine.update(input.data));
  engine.final();
  sealed.set(engine.getAuthTag(), input.data.length);
  return sealed;
}

/** `data` is ciphertext and tag; null when the tag does not fit or is not there. */
export function aeadOpen(cipher: IkeCipher, input: AeadInput): Uint8Array | null {
  if (input.data.length < tagLength) return null;
  const { name, keyLength } = ciphers[cipher];
  const options = { authTagLength: tagLength };
  const engine = createDecipheriv(name as CipherGCMTypes, cipherKey(input, keyLength), nonceOf(input), options);
  const length = input.data.length - tagLength;
  engine.setAAD(input.associated, { plaintextLength: length });
  engine.setAuthTag(input.data.subarray(length));
  const plain = engine.update(input.data.subarray(0, length));
  try {
    engine.final();
  } catch {
    return null;
  }
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
}
