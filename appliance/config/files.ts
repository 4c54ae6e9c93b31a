/** The only place of this folder that reads files: a configuration and the keys that it names. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { Secret } from '../lib/secret.ts';
import { ConfigError } from './problems.ts';
import { type Config, type PeerConfig, parseConfig } from './schema.ts';
import type { Source } from './store.ts';

/** A configuration with the secrets that its files hold. */
export interface LoadedConfig {
  readonly config: Config;
  /** The 32-octet Ed25519 seed of `identity.privateKeyFile`. */
  readonly privateKey: Secret | null;
  /** By peer name, from `psk` or `pskFile`. */
  readonly sharedSecrets: ReadonlyMap<string, Secret>;
}

/** Reads TOML or JSON (by the ending) and every file it names. @throws {ConfigError} */
export function loadConfig(path: string): LoadedConfig {
  return loadSource(readSource(path));
}

/** @throws {ConfigError} */
export function readSource(path: string): Source {
  return { path, text: readText(path, '') };
}

/** @throws {ConfigError} */
export function loadSource({ path, text }: Source): LoadedConfig {
  const config = parseConfig(parseText(text, path));
  const at = (file: string) => resolve(dirname(path), file);
  const keyFile = config.identity.privateKeyFile;
  return {
    config,
    privateKey: keyFile === undefined ? null : readPrivateKey(at(keyFile)),
    sharedSecrets: new Map(
      config.peers.flatMap((peer, index): [string, Secret][] => {
        const secret = sharedSecretOf(peer, index, at);
        return secret ? [[peer.name, secret]] : [];
      }),
    ),
  };
}

function parseText(text: string, path: string): unknown {
  try {
    return path.endsWith('.json') ? JSON.parse(text) : parseToml(text);
  } catch (error) {
    // smol-toml's message goes on with an excerpt of the file, which may hold a secret.
    const [what = ''] = (error as Error).message.split('\n');
    const where = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : '';
    throw new ConfigError([{ field: '', message: `${path} cannot be read as a configuration: ${what}${where}` }]);
  }
}

function readText(path: string, field: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([{ field, message: `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}` }]);
  }
}

function readPrivateKey(path: string): Secret {
  const field = 'identity.privateKeyFile';
  const text = readText(path, field);
  try {
    return new Secret(ed25519Seed(createPrivateKey(text)));
  } catch {
    const message = `${path} holds no Ed25519 private key (PEM, PKCS#8): make one with \`moat keygen --out ${path}\``;
    throw new ConfigError([{ field, message }]);
  }
}

function sharedSecretOf(peer: PeerConfig, index: number, at: (file: string) => string): Secret | null {
  if (peer.psk !== undefined) return peer.psk;
  if (peer.pskFile === undefined) return null;
  const field = `peers[${index}].pskFile`;
  const secret = new TextEncoder().encode(readText(at(peer.pskFile), field).trimEnd());
  if (secret.length < 16) {
    throw new ConfigError([{ field, message: 'expected a shared secret of at least 16 characters in the file' }]);
  }
  return new Secret(secret);
}

/** @throws {TypeError} when the key is not Ed25519. */
export function ed25519Seed(key: KeyObject): Uint8Array {
  const { crv, d } = key.export({ format: 'jwk' });
  if (crv !== 'Ed25519' || d === undefined) throw new TypeError('not an Ed25519 private key');
  return new Uint8Array(Buffer.from(d, 'base64url'));
}

/** The 32 octets of the public half, in the base64 that `publicKey` takes. */
export function ed25519PublicText(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}
