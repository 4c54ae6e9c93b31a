/** Who may use the page, and their sessions. Neither is a fact about the fleet: no revision, no export. */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Database, Queries, Tx } from '../db/database.ts';
import { recordName } from '../facts/fields.ts';
import { parseOrRefuse, refuse } from '../facts/refusal.ts';
import { fromBase32, hashPassword, passwordHolds, toBase32, totpStepOf } from './passwords.ts';

export const roles = ['viewer', 'operator', 'owner'] as const;
export type Role = (typeof roles)[number];

export interface Session {
  readonly operatorId: number;
  readonly name: string;
  readonly role: Role;
  /** Sent with every change, so that another site's form cannot make one. */
  readonly csrf: string;
}

export interface NewOperator {
  readonly name: string;
  readonly role: Role;
  readonly password: string;
  /** Base 32. */
  readonly totpSecret: string;
}

export const operatorSchema = z.strictObject({ name: recordName, role: z.enum(roles) });

/** With a password and a TOTP secret made here; both are shown once and stored so that they cannot be. @throws {Refusal} */
export async function addOperator(database: Database, given: unknown, now: number): Promise<NewOperator> {
  const { name, role } = parseOrRefuse(operatorSchema, given);
  const password = randomBytes(12).toString('base64url');
  const totpSecret = toBase32(randomBytes(20));
  const hash = await hashPassword(password, randomBytes(16));
  await database.write(async (tx) => {
    const taken = await tx.selectFrom('operators').select('id').where('name', '=', name).executeTakeFirst();
    if (taken) refuse('name', `'${name}' is taken by another operator`, 'conflict');
    const values = { name, role, password: hash, totpSecret, totpStep: 0, createdAt: now };
    await tx.insertInto('operators').values(values).execute();
  });
  return { name, role, password, totpSecret };
}

/** With all their sessions. @throws {Refusal} for the last owner. */
export async function removeOperator(database: Database, name: string): Promise<void> {
  await database.write(async (tx) => {
    const row = await tx.selectFrom('operators').select(['id', 'role']).where('name', '=', name).executeTakeFirst();
    if (!row) return refuse('name', `there is no operator '${name}'`, 'missing');
    const owners = await tx.selectFrom('operators').select('id').where('role', '=', 'owner').execute();
    if (row.role === 'owner' && owners.length === 1) refuse('name', 'is the last owner', 'conflict');
    await tx.deleteFrom('sessions').where('operatorId', '=', row.id).execute();
    await tx.deleteFrom('operators').where('id', '=', row.id).execute();
  });
}

export function listOperators(queries: Queries) {
  return queries
    .selectFrom('operators')
    .leftJoin('passkeys', 'passkeys.operatorId', 'operators.id')
    .select(['operators.name', 'operators.role', 'operators.createdAt'])
    .select(({ fn }) => fn.count<number>('passkeys.id').as('passkeys'))
    .groupBy('operators.id')
    .orderBy('operators.name')
    .execute();
}

const sessionMs = 12 * 3_600_000;

export interface Login {
  readonly name: string;
  readonly password: string;
  readonly totp: string;
}

/** Something to compare with when there is no such operator: both answers take the same time. */
const nobody = `scrypt.${'A'.repeat(22)}.${'A'.repeat(43)}`;

/** The token of a new session, or null without a word about which of the three was wrong. */
export async function login(database: Database, given: Login, now: number): Promise<string | null> {
  const query = database.queries.selectFrom('operators').selectAll().where('name', '=', given.name);
  const operator = await query.executeTakeFirst();
  const right = await passwordHolds(given.password, operator?.password ?? nobody);
  if (!operator || !right) return null;
  return database.write(async (tx) => {
    // Read again: of two logins with the same code at the same time only one may go on.
    const fresh = await tx.selectFrom('operators').selectAll().where('id', '=', operator.id).executeTakeFirst();
    if (!fresh) return null;
    const step = totpStepOf(fromBase32(fresh.totpSecret), given.totp, now, fresh.totpStep);
    if (step === null) return null;
    await tx.updateTable('operators').set({ totpStep: step }).where('id', '=', fresh.id).execute();
    return openSession(tx, fresh.id, now);
  });
}

/** For somebody who has proven who it is; the token is told once and stored so that it cannot be. */
export async function openSession(tx: Tx, operatorId: number, now: number): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const csrf = randomBytes(24).toString('base64url');
  const values = { hash: hashOfToken(token), operatorId, csrf, expiresAt: now + sessionMs };
  await tx.insertInto('sessions').values(values).execute();
  return token;
}

export async function sessionOf(queries: Queries, token: string, now: number): Promise<Session | null> {
  const row = await queries
    .selectFrom('sessions')
    .innerJoin('operators', 'operators.id', 'sessions.operatorId')
    .select(['operators.id as operatorId', 'operators.name', 'operators.role', 'sessions.csrf', 'sessions.expiresAt'])
    .where('sessions.hash', '=', hashOfToken(token))
    .executeTakeFirst();
  if (!row || row.expiresAt <= now) return null;
  const { operatorId, name, csrf } = row;
  return { operatorId, name, role: row.role as Role, csrf };
}

export async function endSession(database: Database, token: string): Promise<void> {
  await database.write((tx) => tx.deleteFrom('sessions').where('hash', '=', hashOfToken(token)).execute());
}

/** The database holds nothing that opens a session. */
function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
