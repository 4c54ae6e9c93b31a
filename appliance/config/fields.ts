import { z } from 'zod';
import { canonicalIp } from '../lib/ip.ts';

/** Refuses what `check` throws on, with its sentence. */
export function checked(check: (text: string) => unknown) {
  return z.string().check((ctx) => {
    try {
      check(ctx.value);
    } catch (error) {
      const message = error instanceof Error ? error.message : 'not valid';
      ctx.issues.push({ code: 'custom', input: ctx.value, message, continue: false });
    }
  });
}

/** An IP address of either family, as canonical text. */
export const address = checked(canonicalIp).transform(canonicalIp);
