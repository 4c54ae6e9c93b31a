/** The signed order to forget everything: it names one box by its public key, so that a found stick resets no other. */
import { type KeyObject, sign, verify } from 'node:crypto';

const shape = /^moat-reset-1 ([A-Za-z0-9+/]{43}=) ([A-Za-z0-9+/]{85}[AQgw]==)\s*$/;

function statement(publicKey: string): Uint8Array {
  return Buffer.from(`moat-reset-1 ${publicKey}\n`, 'latin1');
}

/** @param publicKey of the box, in base64. @returns the line for the file `moat-reset`. */
export function resetOrder(publicKey: string, key: KeyObject): string {
  return `moat-reset-1 ${publicKey} ${sign(null, statement(publicKey), key).toString('base64')}\n`;
}

export function isResetOrder(text: string, publicKey: string, keys: readonly KeyObject[]): boolean {
  const [, named = '', signature = ''] = shape.exec(text) ?? [];
  if (named === '' || named !== publicKey) return false;
  return keys.some((key) => verify(null, statement(named), key, Buffer.from(signature, 'base64')));
}
