/** Bodies of the device API, as schemas; device-api.md tells the same in words. */
import { z } from 'zod';
import { publicKey } from '../facts/fields.ts';

const sentence = z.string().max(500);
const revision = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

export const enrolBody = z.strictObject({ code: z.string().max(100).optional() });

export const keyBody = z.strictObject({ publicKey });

export const statusBody = z.strictObject({
  version: z.string().regex(/^[\x21-\x7e]{1,64}$/, 'expected 1 to 64 printable characters'),
  health: z.enum(['up', 'degraded', 'down']),
  /** One sentence for people: what is wrong, and whose fault it is. */
  doctor: sentence.default(''),
  /** What the box is made of, one line. */
  hardware: sentence.optional(),
  appliedRevision: revision,
  confirmedRevision: revision,
  /** A configuration that the box refused or took back, and why. */
  refused: z.strictObject({ revision, problem: sentence, rolledBack: z.boolean().default(false) }).optional(),
  tunnel: z
    .strictObject({
      lossPermille: z.number().min(0).max(1000),
      roundTripMs: z.number().min(0).max(1_000_000),
      receivedKbps: count,
      sentKbps: count,
    })
    .optional(),
  update: z
    .strictObject({
      release: z.string().max(63),
      state: z.enum(['downloading', 'installed', 'failed']),
      problem: sentence.default(''),
    })
    .optional(),
});

export type StatusReport = z.output<typeof statusBody>;
