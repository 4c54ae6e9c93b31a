/** What operators prove themselves with: a password (scrypt, RFC 7914) and a one-time code (RFC 6238). */
import { createHmac, scrypt, timingSafeEqual } from 'node:crypto';

const cost = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // RFC 8265 in short: the same word typed on two keyboards is the same word.
    scrypt(password.normalize('NFKC'), salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** `salt`: 16 random octets. */
export async function hashPassword(password: string, salt: Uint8Array): Promise<string> {
  const key = await derive(password, salt);
  return `scrypt.${Buffer.from(salt).toString('base64url')}.${key.toString('base64url')}`;
}

export async function passwordHolds(password: string, stored: string): Promise<boolean> {
  const [, salt = '', expected = ''] = stored.split('.');
  const key = await derive(password, Buffer.from(salt, 'base64url'));
  const wanted = Buffer.from(expected, 'base64url');
  return key.length === wanted.length && timingSafeEqual(key, wanted);
}

const stepMs = 30_000;
const digits = 6;

/** RFC 4226 5.3, of the time step. `secret`: octets. */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac[19] ?? 0) & 15;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

export function totpStep(now: number): number {
  return Math.floor(now / stepMs);
}

/** The step that the code belongs to, later than `after` (a code works once), one step early or late; or null. */
export function totpStepOf(secret: Uint8Array, code: string, now: number, after: number): number | null {
  const typed = Buffer.from(code.replace(/\s/g, ''));
  for (const step of [-1, 0, 1].map((shift) => totpStep(now) + shift)) {
    const expected = Buffer.from(totpCode(secret, step));
    if (step > after && typed.length === expected.length && timingSafeEqual(typed, expected)) return step;
  }
  return null;
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 6 without padding, as authenticator programs read it. */
export function toBase32(octets: Uint8Array): string {
  const bits = Array.from(octets, (octet) => octet.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((group) => base32[Number.parseInt(group.padEnd(5, '0'), 2)]).join('');
}

export function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => base32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((group) => Number.parseInt(group, 2)));
}

export function otpauthUri(portal: string, operator: string, secret: string): string {
  const label = encodeURIComponent(`moat ${portal}:${operator}`);
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(`moat ${portal}`)}`;
}
