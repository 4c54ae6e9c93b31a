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

export function refuse(field: string, message: string, reason: Refusal['reason'] = 'invalid'): never {
  throw new Refusal([{ field, message }], reason);
}

/** @throws {Refusal} naming each wrong field. */
export function parseOrRefuse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new Refusal(problemsOf(result.error, value));
  return result.data;
}
