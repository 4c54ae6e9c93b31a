/**
 * What a box keeps of its portal, in one folder of the state directory: its key, where the portal is, and the configuration and the
 * release that it wants here. Every file is replaced whole: a power cut leaves the old one or the new one.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { ed25519Seed } from '../config/credentials.ts';
import { parseUpdate, type Update } from './portal-release.ts';

/** A portal's device API. */
export interface Door {
  readonly apiUrls: readonly string[];
  /** Base64 of 32 octets: the key that its TLS certificate holds. */
  readonly apiKey: string;
}

export interface Token {
  readonly door: Door;
  readonly code: string;
}

const apiUrl = z.url({ protocol: /^https$/ }).max(255);
const apiKey = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'expected 32 octets in base64');
export const doorSchema = z.strictObject({ apiUrls: z.array(apiUrl).min(1).max(8).readonly(), apiKey });

const enrolmentSchema = z.strictObject({
  /** The first is called; the ones behind it are kept until a configuration of the first has been confirmed. */
  doors: z.array(doorSchema).min(1).max(4).readonly(),
  /** The one-time code as long as it has not been used; empty for a key that the factory has told the portal. */
  code: z.string().max(100).nullable(),
  /** The token that all this began with: a token that was followed once is not followed again. */
  token: z.string(),
  /** Days after which the box makes itself a new key. */
  keyDays: z.number().positive().default(90),
});

export type Enrolment = z.output<typeof enrolmentSchema>;

/** `moat1.URL.KEY.CODE`, with whatever white space a mail or a file put around it. @throws {TypeError} with a sentence. */
export function parseToken(text: string): Token {
  const [version, url = '', key = '', code = '', ...rest] = text
    .trim()
    .replace(/^moat enroll\s+/, '')
    .split('.');
  if (version !== 'moat1' || rest.length > 0 || key === '' || code.length > 100) {
    throw new TypeError(
      'this is no enrolment token: expected "moat1." and three more parts, as `portal enroll-code` prints it',
    );
  }
  const door = doorSchema.safeParse({
    apiUrls: [Buffer.from(url, 'base64url').toString('utf8')],
    apiKey: Buffer.from(key, 'base64url').toString('base64'),
  });
  if (!door.success) throw new TypeError('this enrolment token is damaged: copy it again, whole');
  return { door: door.data, code };
}

export class PortalFiles {
  readonly #folder: string;

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'portal');
  }

  /** What the appliance reads as its configuration as soon as the box belongs to a portal. */
  get configFile(): string {
    return join(this.#folder, 'moat.json');
  }

  get keyFile(): string {
    return join(this.#folder, 'identity.key');
  }

  get #nextKeyFile(): string {
    return join(this.#folder, 'next.key');
  }

  /** Null while the box belongs to no portal. A damaged file counts as none: the token of the boot partition then starts anew. */
  enrolment(): Enrolment | null {
    const text = textOf(join(this.#folder, 'enrolment.json'));
    if (text === null) return null;
    try {
      return enrolmentSchema.parse(JSON.parse(text));
    } catch {
      return null;
    }
  }

  save(enrolment: Enrolment): void {
    writeWhole(join(this.#folder, 'enrolment.json'), JSON.stringify(enrolment, null, 2));
  }

  /** Takes a token that has not been followed yet. False when it was taken before. @throws {TypeError} with a sentence. */
  take(token: string): boolean {
    const text = token.trim();
    if (this.enrolment()?.token === text) return false;
    const { door, code } = parseToken(text);
    this.save({ ...this.#beginning(text, door), code });
    return true;
  }

  /** The token has been followed: this box belongs to the portal. */
  join(token: string): void {
    this.save(this.#beginning(token.trim(), parseToken(token).door));
  }

  #beginning(token: string, door: Door): Enrolment {
    return { doors: [door], code: null, token, keyDays: this.enrolment()?.keyDays ?? 90 };
  }

  saveConfig(text: string): void {
    writeWhole(this.configFile, text);
  }

  configText(): string | null {
    return textOf(this.configFile);
  }

  /** Which release the portal wants here, for whoever installs it (rootfs/). Null: none. */
  saveRelease(text: string | null): void {
    if (text === null) rmSync(this.#releaseFile, { force: true });
    else writeWhole(this.#releaseFile, text);
  }

  releaseText(): string | null {
    return textOf(this.#releaseFile);
  }

  /** What became of the last release that the portal wanted; null where there was none. */
  update(): Update | null {
    return parseUpdate(textOf(join(this.#folder, 'update.json')));
  }

  get #releaseFile(): string {
    return join(this.#folder, 'release.json');
  }

  /** The box's key; `beside` is a key that it has from elsewhere (the factory's). One is made when there is none. */
  key(beside: string | null): KeyObject {
    const own = keyOf(textOf(this.keyFile));
    if (own) return own;
    const key = keyOf(beside === null ? null : textOf(beside)) ?? generateKeyPairSync('ed25519').privateKey;
    writeWhole(this.keyFile, pemOf(key));
    return key;
  }

  /** The key that a rotation is about: on the disk before the portal hears of it. */
  nextKey(): KeyObject {
    const found = keyOf(textOf(this.#nextKeyFile));
    if (found) return found;
    const key = generateKeyPairSync('ed25519').privateKey;
    writeWhole(this.#nextKeyFile, pemOf(key));
    return key;
  }

  hasNextKey(): boolean {
    return existsSync(this.#nextKeyFile);
  }

  /** The portal believes the next key now: it becomes the key. */
  promote(): void {
    renameSync(this.#nextKeyFile, this.keyFile);
    syncFolder(this.#folder);
  }

  forgetNextKey(): void {
    rmSync(this.#nextKeyFile, { force: true });
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function keyOf(pem: string | null): KeyObject | null {
  if (pem === null) return null;
  try {
    const key = createPrivateKey(pem);
    ed25519Seed(key);
    return key;
  } catch {
    return null;
  }
}

function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncFolder(dirname(path));
}

/** A rename is on the disk when its folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
