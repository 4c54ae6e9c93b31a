import { createRequire } from 'node:module';
import type { NtpTimeSync } from 'ntp-time-sync';

/** Seconds. The package errs by half the round trip; what it is asked to notice is far above that. */
const absurdOffset = 1;

export type Judgement = { readonly kind: 'sane' } | { readonly kind: 'absurd'; readonly why: string };

/** What our own server's answer says about it: it runs on this machine, so it must agree with this machine's clock. */
export function judgeServer(offsetSeconds: number): Judgement {
  if (Number.isFinite(offsetSeconds) && Math.abs(offsetSeconds) < absurdOffset) return { kind: 'sane' };
  return { kind: 'absurd', why: `our NTP server is ${offsetSeconds.toFixed(1)} s away from the machine's clock` };
}

/** Milliseconds. */
const patience = 500;

/**
 * How far an NTP server is from this machine's clock, in seconds: to notice, never to steer. `ntp-time-sync` checks
 * neither origin timestamp nor kiss-of-death and takes IPv4 only.
 * @throws when the server does not answer.
 */
export async function askOffset(address: string, port: number): Promise<number> {
  // The package's ES entry is CommonJS without named exports.
  const { NtpTimeSync: Client } = createRequire(import.meta.url)('ntp-time-sync') as {
    NtpTimeSync: typeof NtpTimeSync;
  };
  const client = new Client({ servers: [`${address}:${port}`], sampleCount: 1, replyTimeout: patience });
  const { offset } = await client.getTime(true);
  return offset / 1000;
}
