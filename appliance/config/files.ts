/** A configuration from its file, with everything that it names (`credentials.ts`). */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import type { Secret } from '../lib/secret.ts';
import {
  type OwnCertificate,
  ownCertificate,
  type PeerTrust,
  ppkOf,
  readPrivateKey,
  readText,
  sharedSecretOf,
  trustOf,
} from './credentials.ts';
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
  /** By peer name, from `ppk`. */
  readonly ppks: ReadonlyMap<string, Secret>;
  readonly certificate: OwnCertificate | null;
  /** By peer name, from `x509`. */
  readonly trust: ReadonlyMap<string, PeerTrust>;
}

/** Reads TOML or JSON (by the ending) and every file it names. @throws {ConfigError} */
export function loadConfig(path: string): LoadedConfig {
  return loadSource(readSource(path));
}

/** @throws {ConfigError} */
export function readSource(path: string): Source {
  return { path, text: readText(path, '') };
}

/** What was parsed last. A portal of ten thousand boxes looks at a configuration, then puts it in force: once is enough. */
let last: { readonly path: string; readonly text: string; readonly config: Config } | null = null;

function parsed({ path, text }: Source): Config {
  if (last?.path !== path || last.text !== text) last = { path, text, config: parseConfig(parseText(text, path)) };
  return last.config;
}

/** @throws {ConfigError} */
export function loadSource(source: Source): LoadedConfig {
  const { path } = source;
  const config = parsed(source);
  const at = (file: string) => resolve(dirname(path), file);
  const keyFile = config.identity.privateKeyFile;
  return {
    config,
    privateKey: keyFile === undefined ? null : readPrivateKey(at(keyFile)),
    sharedSecrets: byPeer(config, (peer, index) => sharedSecretOf(peer, index, at)),
    ppks: byPeer(config, (peer, index) => ppkOf(peer, index, at)),
    certificate: ownCertificate(config, at),
    trust: byPeer(config, (peer, index) => trustOf(peer, index, at)),
  };
}

function byPeer<Value>(
  { peers }: Config,
  read: (peer: PeerConfig, index: number) => Value | null,
): ReadonlyMap<string, Value> {
  return new Map(
    peers.flatMap((peer, index): [string, Value][] => {
      const value = read(peer, index);
      return value === null ? [] : [[peer.name, value]];
    }),
  );
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

/** The 32 octets of the public half, in the base64 that `publicKey` takes. */
export function ed25519PublicText(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}
