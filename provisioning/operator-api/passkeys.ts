/** Passkeys of operators: a second way in, which asks for neither password nor code because the authenticator asks for more. */
import { z } from 'zod';
import type { Database, Queries } from '../db/database.ts';
import { refuse } from '../facts/refusal.ts';
import { openSession } from './operators.ts';
import { checkAssertion, checkRegistration, type RelyingParty } from './webauthn.ts';

const mostOfOne = 10;
const octets = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\w-]+$/, 'expected base64url')
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')));
const ceremony = { challenge: z.string().max(200), clientData: octets(4000), authenticatorData: octets(3000) };

export const registrationSchema = z.strictObject({
  /** For its owner, who has several. */
  name: z.string().regex(/^\P{C}{1,60}$/u, 'expected 1 to 60 characters, such as "phone"'),
  ...ceremony,
  publicKey: octets(2000),
});

export const assertionSchema = z.strictObject({
  id: z.string().regex(/^[\w-]{1,1400}$/, 'expected base64url'),
  ...ceremony,
  signature: octets(2000),
});

export interface Asking {
  readonly party: RelyingParty;
  readonly now: number;
}

/** @throws {Refusal} */
export async function addPasskey(
  database: Database,
  operatorId: number,
  { party, now }: Asking,
  given: z.output<typeof registrationSchema>,
): Promise<void> {
  const checked = checkRegistration({ party, ...given });
  if (!checked.ok) return refuse('', checked.problem);
  const { credentialId, publicKey, signCount } = checked.value;
  await database.write(async (tx) => {
    const own = await listPasskeys(tx, operatorId);
    if (own.length >= mostOfOne) refuse('', `${mostOfOne} passkeys are enough: remove one first`, 'conflict');
    const taken = await tx.selectFrom('passkeys').select('id').where('id', '=', credentialId).executeTakeFirst();
    if (taken) refuse('', 'this passkey is known already', 'conflict');
    const times = { createdAt: now, usedAt: null };
    const values = { id: credentialId, operatorId, rpId: party.rpId, name: given.name, publicKey, signCount, ...times };
    await tx.insertInto('passkeys').values(values).execute();
  });
}

export function listPasskeys(queries: Queries, operatorId: number) {
  return queries
    .selectFrom('passkeys')
    .select(['id', 'name', 'rpId', 'createdAt', 'usedAt'])
    .where('operatorId', '=', operatorId)
    .orderBy('createdAt')
    .execute();
}

/** @throws {Refusal} when the operator has no such passkey. */
export async function removePasskey(database: Database, operatorId: number, id: string): Promise<void> {
  await database.write(async (tx) => {
    const condition = tx.deleteFrom('passkeys').where('id', '=', id).where('operatorId', '=', operatorId);
    const { numDeletedRows } = await condition.executeTakeFirstOrThrow();
    if (numDeletedRows === 0n) refuse('id', 'you have no such passkey', 'missing');
  });
}

/** A new session; null for whoever is not let in, without a word about why. */
export async function loginByPasskey(
  database: Database,
  { party, now }: Asking,
  given: z.output<typeof assertionSchema>,
): Promise<{ readonly token: string; readonly name: string } | null> {
  return database.write(async (tx) => {
    const row = await tx
      .selectFrom('passkeys')
      .innerJoin('operators', 'operators.id', 'passkeys.operatorId')
      .select(['operatorId', 'operators.name', 'publicKey', 'signCount'])
      .where('passkeys.id', '=', given.id)
      .where('rpId', '=', party.rpId)
      .executeTakeFirst();
    if (!row) return null;
    const checked = checkAssertion({ party, ...given, publicKey: row.publicKey, signCount: row.signCount });
    if (!checked.ok) return null;
    const used = { signCount: checked.value, usedAt: now };
    await tx.updateTable('passkeys').set(used).where('id', '=', given.id).execute();
    return { token: await openSession(tx, row.operatorId, now), name: row.name };
  });
}
