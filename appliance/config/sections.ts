/** The services' parts as sections of the one configuration. Where their files live is the supervisor's to say. */
import { z } from 'zod';
import { dhcpSlice } from './dhcp.ts';
import { dnsConfig } from './dns.ts';
import { ntpConfig } from './ntp.ts';

/** A section that another schema knows all about; `given` are the fields that nobody writes by hand. */
function section<Schema extends z.ZodType>(schema: Schema, given: Readonly<Record<string, unknown>> = {}) {
  return z.record(z.string(), z.unknown()).transform((value, context): z.output<Schema> => {
    for (const field of Object.keys(given)) {
      if (field in value) context.addIssue({ code: 'unrecognized_keys', keys: [field], input: value });
    }
    const result = schema.safeParse({ ...value, ...given });
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  });
}

export const dhcpSection = section(dhcpSlice);

/** `slices.ts` puts in the real directory. */
export const dnsSection = section(dnsConfig, { stateDirectory: '/var/lib/moat' });
export const ntpSection = section(ntpConfig, { stateDirectory: '/var/lib/moat' });
