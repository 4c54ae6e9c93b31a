import { z } from 'zod';
import { canonicalIp, type Family, familyOf, formatPrefix, parsePrefix } from '../lib/ip.ts';

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

/** A text that `parse` turns into what it means, or refuses by throwing a sentence. */
export function parsed<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });
}

/** An IP address of either family, as canonical text. */
export const address = parsed(canonicalIp);
/** A network, such as `10.77.1.0/24`. */
export const network = parsed(parsePrefix);
/** The same as canonical text, as it travels to a service. */
export const networkText = network.transform(formatPrefix);

/** An address of one family. */
export function addressOf(family: Family) {
  return address.refine((text) => familyOf(text) === family, `is not an IPv${family} address`);
}

/** A network of one family, as text. */
export function networkTextOf(family: Family) {
  return networkText.refine((text) => familyOf(text) === family, `is not an IPv${family} network`);
}

/** Linux IFNAMSIZ: 15 characters and no slash. */
export const interfaceName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,15}$/, 'expected an interface name of 1 to 15 characters');
