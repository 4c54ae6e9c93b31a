/** The key files of a portal's folder. Private halves are made here and leave only in a backup. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSignedCertificate } from './certificate.ts';

export const keyFiles = {
  /** The tunnel's own identity, for `moat run`. */
  identity: 'identity.key',
  apiKey: 'device-api.key',
  apiCertificate: 'device-api.crt',
  /** Browsers know no Ed25519 certificates, so the operators' page has a P-256 key. */
  operatorKey: 'operator-api.key',
  operatorCertificate: 'operator-api.crt',
} as const;

/** Makes what is not there; an existing key is never replaced, because boxes have pinned it. */
export function makeKeys(folder: string, name: string): void {
  makeKey(join(folder, keyFiles.identity), () => generateKeyPairSync('ed25519').privateKey);
  const api = makeKey(join(folder, keyFiles.apiKey), () => generateKeyPairSync('ed25519').privateKey);
  makeCertificate(join(folder, keyFiles.apiCertificate), api, name, []);
  const operator = makeKey(
    join(folder, keyFiles.operatorKey),
    () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  );
  makeCertificate(join(folder, keyFiles.operatorCertificate), operator, name, ['localhost', name]);
}

function makeKey(path: string, make: () => KeyObject): string {
  if (!existsSync(path)) {
    writeFileSync(path, make().export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  }
  return readFileSync(path, 'utf8');
}

function makeCertificate(path: string, keyPem: string, commonName: string, dnsNames: readonly string[]): void {
  if (existsSync(path)) return;
  const privateKey = createPrivateKey(keyPem);
  writeFileSync(path, selfSignedCertificate({ privateKey, commonName, dnsNames, serial: randomBytes(16) }));
}

/** Base64 of the 32 octets of an Ed25519 key's public half. */
export function publicText(key: string | KeyObject): string {
  const publicKey = typeof key !== 'string' && key.type === 'public' ? key : createPublicKey(key);
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}
