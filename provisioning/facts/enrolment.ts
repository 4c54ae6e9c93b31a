/**
 * How a box's key comes to be believed. A code is good for one device, once, for a while; a factory key needs no code.
 * The box makes its key itself and shows only the public half.
 */
import { createHash } from 'node:crypto';
import type { Database, Queries } from '../db/database.ts';
import type { Edit } from './edit.ts';
import { kinds } from './kinds.ts';
import { findRow, type Row } from './records.ts';
import { refuse } from './refusal.ts';

/** Crockford's base 32: no letter that could be taken for a digit on a letter in the post. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 20;

/** 100 bits in groups of five: `7K3QZ-...`. `random`: 20 octets. */
export function codeFrom(random: Uint8Array): string {
  const letters = Array.from(random.subarray(0, codeLength), (octet) => alphabet[octet & 31]);
  return [0, 5, 10, 15].map((at) => letters.slice(at, at + 5).join('')).join('-');
}

/** Forgives what people do to codes: small letters, spaces, O for 0, I and L for 1. */
export function hashOfCode(code: string): string {
  const plain = code
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  return createHash('sha256').update(`moat enrolment code ${plain}`).digest('hex');
}

/** The one text that a box needs: where the portal is, what its key is, and the code. */
export function enrolmentToken(apiUrl: string, apiKey: string, code: string): string {
  const url = Buffer.from(apiUrl).toString('base64url');
  return `moat1.${url}.${Buffer.from(apiKey, 'base64').toString('base64url')}.${code}`;
}

export interface CodeRequest {
  readonly device: string;
  readonly code: string;
  readonly now: number;
  readonly lifetimeSeconds: number;
}

/** Replaces codes that were made before for this device. Not a revision: a code is no fact about the fleet. */
export async function addCode(database: Database, { device, code, now, lifetimeSeconds }: CodeRequest): Promise<void> {
  await database.write(async (tx) => {
    const row = await findRow(tx, kinds.device, device);
    if (!row) return refuse('device', `there is no device '${device}'`, 'missing');
    if (row.archivedAt !== null) refuse('device', `'${device}' is archived`, 'conflict');
    await tx.deleteFrom('enrolCodes').where('deviceId', '=', row.id).where('usedAt', 'is', null).execute();
    const expiresAt = now + lifetimeSeconds * 1000;
    const values = { deviceId: row.id, hash: hashOfCode(code), createdAt: now, expiresAt, usedAt: null, usedBy: null };
    await tx.insertInto('enrolCodes').values(values).execute();
  });
}

/**
 * Believes `publicKey` for the device that the code is for, and returns the device's name; null when the code is no good
 * (unknown, used by another key, expired: the caller does not say which).
 */
export async function enrolByCode(edit: Edit, code: string, publicKey: string): Promise<string | null> {
  const found = await edit.tx
    .selectFrom('enrolCodes')
    .selectAll()
    .where('hash', '=', hashOfCode(code))
    .executeTakeFirst();
  if (!found) return null;
  const device = await edit.byId('device', found.deviceId);
  if (device.archivedAt !== null || (device.state === 'revoked' && found.usedAt !== null)) return null;
  // The box's first answer was lost: the same key asks again.
  if (found.usedAt !== null)
    return found.usedBy === publicKey && device.state === 'enrolled' ? String(device.name) : null;
  if (edit.now >= found.expiresAt) return null;
  const known = await findRow(edit.tx, kinds.key, publicKey);
  if (known && known.deviceId !== device.id) return null;
  await edit.tx
    .updateTable('enrolCodes')
    .set({ usedAt: edit.now, usedBy: publicKey })
    .where('id', '=', found.id)
    .execute();
  await activate(edit, device, publicKey, known);
  return String(device.name);
}

/** For a box whose key the factory has told us. Null when the key is not one of those. */
export async function enrolByFactoryKey(edit: Edit, publicKey: string): Promise<string | null> {
  const key = await findRow(edit.tx, kinds.key, publicKey);
  if (!key || key.archivedAt !== null) return null;
  const device = await edit.byId('device', Number(key.deviceId));
  if (device.archivedAt !== null || device.state === 'revoked') return null;
  if (key.state === 'active' && device.state === 'enrolled') return String(device.name);
  if (key.state !== 'factory' || device.state !== 'expected') return null;
  await activate(edit, device, publicKey, key);
  return String(device.name);
}

/** The one active key of the device; every other one it has is retired. */
async function activate(edit: Edit, device: Row, publicKey: string, known: Row | undefined): Promise<void> {
  for (const key of await keysOf(edit.tx, device.id)) {
    if (key.publicKey === publicKey || key.state === 'retired') continue;
    await edit.put('key', await edit.byId('key', key.id), { state: 'retired' });
  }
  if (known) await edit.put('key', known, { state: 'active', archivedAt: null });
  else await edit.insertRow('key', { deviceId: device.id, publicKey, state: 'active' });
  if (device.state !== 'enrolled') await edit.put('device', device, { state: 'enrolled' });
}

function keysOf(queries: Queries, deviceId: number) {
  return queries
    .selectFrom('keys')
    .select(['id', 'publicKey', 'state'])
    .where('deviceId', '=', deviceId)
    .where('archivedAt', 'is', null)
    .execute();
}

/** First half of a rotation: both keys open the device API until the new one is used. */
export async function announceKey(edit: Edit, deviceId: number, publicKey: string): Promise<void> {
  const known = await findRow(edit.tx, kinds.key, publicKey);
  if (known && (known.deviceId !== deviceId || known.state === 'retired')) {
    refuse('publicKey', 'has been used before', 'conflict');
  }
  if (known) return;
  for (const key of await keysOf(edit.tx, deviceId)) {
    if (key.state === 'next') await edit.put('key', await edit.byId('key', key.id), { state: 'retired' });
  }
  await edit.insertRow('key', { deviceId, publicKey, state: 'next' });
}

/** Second half: the first call that the new key signed. The old one opens nothing from now on. */
export async function promoteKey(edit: Edit, deviceId: number, publicKey: string): Promise<void> {
  const key = await findRow(edit.tx, kinds.key, publicKey);
  if (key?.state !== 'next' || key.deviceId !== deviceId) return;
  await activate(edit, await edit.byId('device', deviceId), publicKey, key);
}
