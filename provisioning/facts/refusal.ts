import type { z } from 'zod';
import { type Problem, problemsOf } from '../../appliance/config/problems.ts';

export type { Problem };

/** A request that is answered with no: which fields are wrong, and what was expected there. Never a bug of ours. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly problems: readonly Problem[];
  /** `missing`: what was asked for is not there; `conflict`: it would be right at another moment. */
  readonly reason: 'invalid' | 'missing' | 'conflict';

  constructor(problems: readonly Problem[], reason: Refusal['reason'] = 'invalid') {
    super(problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('\n'));
    this.problems = problems;
    this.reason = reason;
  }
}

/** PostgreSQL's `character_not_in_repertoire`: a zero octet in a text, which it cannot keep; SQLite takes it and finds nothing. */
const notInRepertoire = '22021';

/** What the database could not even look for, as a refusal; null for every other error. */
export function refusalOfText(error: unknown): Refusal | null {
  if ((error as { code?: string }).code !== notInRepertoire) return null;
  return new Refusal([{ field: '', message: 'expected text without zero octets' }]);
}

export function refuse(field: string, message: string, reason: Refusal['reason'] = 'invalid'): never {
  throw new Refusal([{ field, message }], reason);
}

/** @throws {Refusal} naming each wrong field. */
export function parseOrRefuse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new Refusal(problemsOf(result.error, value));
  return result.data;
}
