/** Reads what a configuration names beside itself: keys, certificates, revocation lists. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Secret } from '../lib/secret.ts';
import { certificatesOf } from './certificates.ts';
import { ConfigError } from './problems.ts';
import type { Config, PeerConfig } from './schema.ts';

/** Our own certificate with its key. */
export interface OwnCertificate {
  /** DER, our own first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS #8. */
  readonly privateKey: Secret;
}

/** Of one peer: its authorities, and the revocation lists that lie in files. DER. */
export interface PeerTrust {
  readonly authorities: readonly Uint8Array[];
  readonly revocationLists: readonly Uint8Array[];
}

export type Locate = (file: string) => string;

/** @throws {ConfigError} */
export function readText(path: string, field: string): string {
  return readOctets(path, field).toString('utf8');
}

function readOctets(path: string, field: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError([{ field, message: `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}` }]);
  }
}

/** @throws {ConfigError} */
export function readPrivateKey(path: string): Secret {
  const field = 'identity.privateKeyFile';
  const text = readText(path, field);
  try {
    return new Secret(ed25519Seed(createPrivateKey(text)));
  } catch {
    const message = `${path} holds no Ed25519 private key (PEM, PKCS#8): make one with \`moat keygen --out ${path}\``;
    throw new ConfigError([{ field, message }]);
  }
}

/** @throws {TypeError} when the key is not Ed25519. */
export function ed25519Seed(key: KeyObject): Uint8Array {
  const { crv, d } = key.export({ format: 'jwk' });
  if (crv !== 'Ed25519' || d === undefined) throw new TypeError('not an Ed25519 private key');
  return new Uint8Array(Buffer.from(d, 'base64url'));
}

/** @throws {ConfigError} */
export function sharedSecretOf(peer: PeerConfig, index: number, at: Locate): Secret | null {
  if (peer.psk !== undefined) return peer.psk;
  if (peer.pskFile === undefined) return null;
  return secretIn(at(peer.pskFile), `peers[${index}].pskFile`, 16);
}

/** @throws {ConfigError} */
export function ppkOf({ ppk }: PeerConfig, index: number, at: Locate): Secret | null {
  if (ppk?.secret !== undefined) return ppk.secret;
  return ppk?.secretFile === undefined ? null : secretIn(at(ppk.secretFile), `peers[${index}].ppk.secretFile`, 32);
}

function secretIn(path: string, field: string, least: number): Secret {
  const secret = new TextEncoder().encode(readText(path, field).trimEnd());
  if (secret.length >= least) return new Secret(secret);
  throw new ConfigError([{ field, message: `expected a secret of at least ${least} characters in the file` }]);
}

/** @throws {ConfigError} */
export function ownCertificate({ identity }: Config, at: Locate): OwnCertificate | null {
  const { certificate } = identity;
  if (certificate === undefined) return null;
  const { chainFile, chain = '', privateKeyFile } = certificate;
  const field = 'identity.certificate.privateKeyFile';
  const pem = chainFile === undefined ? chain : readText(at(chainFile), 'identity.certificate.chainFile');
  const key = readText(at(privateKeyFile), field);
  try {
    const der = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' });
    const privateKey = new Secret(new Uint8Array(der));
    return { chain: certificatesIn(pem, 'identity.certificate.chainFile'), privateKey };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([{ field, message: `${at(privateKeyFile)} holds no private key (PEM, PKCS#8)` }]);
  }
}

function certificatesIn(pem: string, field: string): Uint8Array[] {
  try {
    return certificatesOf(pem);
  } catch (error) {
    throw new ConfigError([{ field, message: (error as Error).message }]);
  }
}

/** @throws {ConfigError} */
export function trustOf({ x509 }: PeerConfig, index: number, at: Locate): PeerTrust | null {
  if (x509 === undefined) return null;
  const field = `peers[${index}].x509`;
  const inline = x509.authorities === undefined ? [] : certificatesIn(x509.authorities, `${field}.authorities`);
  const files = x509.authorityFiles.flatMap((file) =>
    certificatesIn(readText(at(file), `${field}.authorityFiles`), `${field}.authorityFiles`),
  );
  const revocationLists = x509.revocationListFiles.map((file) =>
    revocationListOctets(readOctets(at(file), `${field}.revocationListFiles`)),
  );
  return { authorities: [...inline, ...files], revocationLists };
}

/** DER, or the DER inside PEM. */
export function revocationListOctets(octets: Buffer): Uint8Array {
  const [, body] = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/.exec(octets.toString('latin1')) ?? [];
  return new Uint8Array(body === undefined ? octets : Buffer.from(body, 'base64'));
}
