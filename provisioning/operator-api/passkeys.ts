/** Passkeys of operators: a second way in, which asks for neither password nor code because the authenticator asks for more. */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { z } from 'zod';
import type { Database, Queries } from '../db/database.ts';
import { refuse } from '../facts/refusal.ts';
import { openSession } from './operators.ts';
import { challengeOf, checkAssertion, checkRegistration, type RelyingParty } from './webauthn.ts';

const mostOfOne = 10;
const octets = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\w-]+$/, 'expected base64url');
const id = octets(1400);
const clientDataJSON = octets(4000);

/** What `PublicKeyCredential.toJSON` writes (WebAuthn level 3, 5.1.9). */
const credential = {
  id,
  rawId: id,
  type: z.literal('public-key'),
  authenticatorAttachment: z.string().max(100).nullish(),
  clientExtensionResults: z.record(z.string(), z.unknown()).default({}),
};

export const registrationSchema = z.strictObject({
  /** For its owner, who has several. */
  name: z.string().regex(/^\P{C}{1,60}$/u, 'expected 1 to 60 characters, such as "phone"'),
  credential: z.strictObject({
    ...credential,
    response: z.strictObject({
      clientDataJSON,
      attestationObject: octets(12_000),
      authenticatorData: octets(6000).optional(),
      publicKey: octets(4000).nullish(),
      publicKeyAlgorithm: z.int().optional(),
      transports: z.array(z.string().max(100)).max(20).default([]),
    }),
  }),
});

export const assertionSchema = z.strictObject({
  ...credential,
  response: z.strictObject({
    clientDataJSON,
    authenticatorData: octets(6000),
    signature: octets(2000),
    userHandle: octets(200).nullish(),
  }),
});

export interface Asking {
  readonly party: RelyingParty;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether we gave it out, not too long ago, and nobody has used it. */
  isGood(challenge: string): boolean;
  /** False when somebody else was faster with it. */
  spend(challenge: string): boolean;
}

/** @throws {Refusal} */
export async function addPasskey(
  database: Database,
  operatorId: number,
  { party, now, isGood, spend }: Asking,
  given: z.output<typeof registrationSchema>,
): Promise<void> {
  const challenge = challengeOf(given.credential.response.clientDataJSON);
  if (!isGood(challenge)) refuse('credential', 'its challenge is not one of ours, or too old: try again');
  const response = given.credential as RegistrationResponseJSON;
  const made = await checkRegistration(party, challenge, response).catch((error: Error) =>
    refuse('credential', error.message),
  );
  if (!spend(challenge)) refuse('credential', 'has been taken already', 'conflict');
  await database.write(async (tx) => {
    const own = await listPasskeys(tx, operatorId);
    if (own.length >= mostOfOne) refuse('', `${mostOfOne} passkeys are enough: remove one first`, 'conflict');
    const taken = await tx.selectFrom('passkeys').select('id').where('id', '=', made.id).executeTakeFirst();
    if (taken) refuse('', 'this passkey is known already', 'conflict');
    const times = { createdAt: now, usedAt: null };
    await tx
      .insertInto('passkeys')
      .values({ ...made, ...times, operatorId, rpId: party.rpId, name: given.name })
      .execute();
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
  { party, now, isGood, spend }: Asking,
  given: z.output<typeof assertionSchema>,
): Promise<{ readonly token: string; readonly name: string } | null> {
  const challenge = challengeOf(given.response.clientDataJSON);
  if (!isGood(challenge)) return null;
  const row = await database.queries
    .selectFrom('passkeys')
    .innerJoin('operators', 'operators.id', 'passkeys.operatorId')
    .select(['passkeys.id', 'operatorId', 'operators.name', 'publicKey', 'signCount'])
    .where('passkeys.id', '=', given.id)
    .where('rpId', '=', party.rpId)
    .executeTakeFirst();
  if (!row) return null;
  // The library throws its no.
  const signCount = await checkAssertion(party, challenge, row, given as AuthenticationResponseJSON).catch(() => null);
  if (signCount === null || !spend(challenge)) return null;
  return database.write(async (tx) => {
    const update = tx.updateTable('passkeys').set({ signCount, usedAt: now }).where('id', '=', row.id);
    // It may have been removed, or used with a higher counter, while its signature was checked.
    const { numUpdatedRows } = await update.where('signCount', '=', row.signCount).executeTakeFirstOrThrow();
    return numUpdatedRows === 1n ? { token: await openSession(tx, row.operatorId, now), name: row.name } : null;
  });
}
