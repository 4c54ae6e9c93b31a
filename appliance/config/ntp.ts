import { z } from 'zod';
import { familyOf } from '../lib/ip.ts';
import { address, interfaceName, networkText } from './fields.ts';

const path = z.string().regex(/^\/[\w./-]+$/, 'not a plain absolute path');
/** A name or an address, as it goes into chrony's configuration: nothing there is quoted. */
const hostName = z
  .string()
  .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.:-]{0,251}[a-zA-Z0-9])?$/, 'neither a host name nor an address');

const source = z.strictObject({
  host: hostName,
  /** `pool`: a name with many addresses, of which four are used. */
  kind: z.enum(['server', 'pool']).default('server'),
  port: z.number().int().min(1).max(65535).default(123),
  /** Believed before others that are as good: the company's own clock, through the tunnel. */
  prefer: z.boolean().default(false),
  /** Powers of two, in seconds. */
  minPoll: z.number().int().min(0).max(17).default(6),
  maxPoll: z.number().int().min(0).max(17).default(10),
});

/** The NTP service of a home: chronyd, configured by us. */
export const ntpConfig = z
  .strictObject({
    /** Addresses of the LAN, at most one of each family (chrony binds no more). */
    listen: z.array(address).min(1).max(2),
    port: z.number().int().min(1).max(65535).default(123),
    /** The LAN's interface: nothing that arrives elsewhere is answered. */
    interface: interfaceName.optional(),
    clients: z.array(networkText).min(1).max(64),
    sources: z.array(source).max(16).default([]),
    /** What we call our own clock when nothing is reachable; a home's devices then at least agree. */
    localStratum: z.number().int().min(1).max(15).default(10),
    /** False where the machine's clock is somebody else's (tests): chronyd then only serves and measures. */
    steersClock: z.boolean().default(true),
    stateDirectory: path,
    /** Whom chronyd becomes when it was started by root; its package makes this user. */
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
      .default('_chrony'),
    daemonCommand: z.array(z.string().min(1)).min(1).max(16).default(['/usr/sbin/chronyd']),
    clientCommand: z.array(z.string().min(1)).min(1).max(16).default(['/usr/bin/chronyc']),
    /** The folder of configuration and socket as chronyd sees it, where that is not as we see it (a chroot in tests). */
    stateDirectoryInside: path.optional(),
  })
  .refine((config) => new Set(config.listen.map(familyOf)).size === config.listen.length, {
    path: ['listen'],
    message: 'at most one address of each family',
  })
  .refine((config) => config.sources.every(({ minPoll, maxPoll }) => minPoll <= maxPoll), {
    path: ['sources'],
    message: 'maxPoll is below minPoll',
  });

export type NtpConfig = z.output<typeof ntpConfig>;
export type NtpConfigInput = z.input<typeof ntpConfig>;
