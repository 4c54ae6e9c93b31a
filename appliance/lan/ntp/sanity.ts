import { createRequire } from 'node:module';
import type { NtpTimeSync } from 'ntp-time-sync';

/** Seconds. The package errs by half the round trip; what it is asked to notice is far above that. */
export const absurdOffset = 1;

export type Judgement = { readonly kind: 'sane' } | { readonly kind: 'absurd'; readonly why: string };

/** What our own server's answer says about it: it runs on this machine, so it must agree with this machine's clock. */
export function judgeServer(offsetSeconds: number): Judgement {
  if (Number.isFinite(offsetSeconds) && Math.abs(offsetSeconds) < absurdOffset) return { kind: 'sane' };
  return { kind: 'absurd', why: `our NTP server is ${offsetSeconds.toFixed(1)} s away from the machine's clock` };
}

/** Whether a clock can be right at all. `floorSeconds`: a time that is certainly past; 25 years is longer than a box lives. */
export function judgeClock(systemSeconds: number, floorSeconds: number): Judgement {
  if (systemSeconds < floorSeconds) return { kind: 'absurd', why: 'the clock is before the firmware was made' };
  const years = (systemSeconds - floorSeconds) / (365.25 * 86_400);
  return years > 25 ? { kind: 'absurd', why: `the clock is ${Math.round(years)} years ahead` } : { kind: 'sane' };
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
