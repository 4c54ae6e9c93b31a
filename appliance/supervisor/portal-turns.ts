/** What a box makes of its portal's answers, and when it asks again. Pure. */
import { canonicalIp, type Prefix, prefixContains } from '../lib/ip.ts';
import type { Answer } from './portal-call.ts';
import { type Door, doorSchema } from './portal-files.ts';

export type ConfigAnswer =
  | { readonly kind: 'configuration'; readonly revision: number; readonly text: string }
  | { readonly kind: 'same' }
  | { readonly kind: 'moved'; readonly door: Door }
  /** The portal has spoken, and means no: sentence for people. */
  | { readonly kind: 'no'; readonly sentence: string }
  | { readonly kind: 'failed'; readonly sentence: string; readonly retrySeconds: number };

const refusals: Readonly<Record<string, string>> = {
  revoked: 'the portal has revoked this box',
  notEnrolled: 'the portal knows this box, but it has not enrolled: ask the administrator for a code',
};

export function configAnswer({ status, headers, text }: Answer): ConfigAnswer {
  const revision = /^"(\d{1,15})"$/.exec(String(headers.etag ?? ''))?.[1];
  if (status === 200 && revision !== undefined) return { kind: 'configuration', revision: Number(revision), text };
  if (status === 304) return { kind: 'same' };
  const { error, apiUrls, apiKey } = objectOf(text);
  if (status === 421 && error === 'moved') {
    const door = doorSchema.safeParse({ apiUrls, apiKey });
    if (door.success) return { kind: 'moved', door: door.data };
  }
  if (status === 403) return { kind: 'no', sentence: refusals[String(error)] ?? 'the portal refuses this box' };
  if (status === 401) return { kind: 'no', sentence: 'the portal does not know the key of this box' };
  const retrySeconds = Math.min(300, Math.max(0, Number(headers['retry-after'] ?? 0) || 0));
  return { kind: 'failed', sentence: `the portal answered ${status}`, retrySeconds };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const firstPauseMs = 1000;
/** A portal that is away for months is asked this often; what the box does does not depend on it. */
const longestPauseMs = 300_000;

/** Milliseconds after `failures` calls without success; `chance` from 0 up to 1, so that a fleet does not come back in one second. */
export function pauseMs(failures: number, chance: number): number {
  const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(20, Math.max(0, failures - 1)));
  return pause * (0.5 + chance);
}

/** Which door the next call goes to: the newest, and the one before from time to time, in case the new one never opens. */
export function doorFor(failures: number, doors: number): number {
  return doors > 1 && failures % 4 === 3 ? 1 + (Math.floor(failures / 4) % (doors - 1)) : 0;
}

/** The doors after a redirect: the new one first, the old one kept, no more than fit. */
export function movedDoors(doors: readonly Door[], to: Door): Door[] {
  return [to, ...doors.filter(({ apiKey }) => apiKey !== to.apiKey)].slice(0, 4);
}

/** URLs inside the company first while the tunnel is up (everything but enrolment prefers it), and last while it is not. */
export function urlsInTurn(urls: readonly string[], inside: readonly Prefix[], tunnelUp: boolean): string[] {
  const within = urls.filter((url) => isWithin(url, inside));
  const outside = urls.filter((url) => !within.includes(url));
  return tunnelUp ? [...within, ...outside] : [...outside, ...within];
}

function isWithin(url: string, networks: readonly Prefix[]): boolean {
  let address: string;
  try {
    address = canonicalIp(new URL(url).hostname.replace(/^\[|\]$/g, ''));
  } catch {
    return false; // a name: which way it leads is not known before it is asked
  }
  return networks.some((network) => prefixContains(network, address));
}

/**
 * Header `moat-api-urls`: where the portal wants to be asked from now on. The address that answered stays as the last resort, so that
 * a slip in the portal's record locks nobody out. Null when the header says nothing.
 */
export function learnedUrls(header: string | string[] | undefined, answered: string): string[] | null {
  const urls = String(header ?? '')
    .split(' ')
    .filter((url) => url !== '');
  const found = doorSchema.shape.apiUrls.safeParse([...urls, ...(urls.includes(answered) ? [] : [answered])]);
  return urls.length > 0 && found.success ? [...found.data] : null;
}

export interface WakeTicket {
  readonly port: number;
  readonly ticket: Uint8Array;
  readonly key: Uint8Array;
  readonly number: number;
}

/** Header `moat-wake: PORT TICKET KEY NUMBER`; null where the portal sends no wake-up datagrams. */
export function wakeTicket(header: string | string[] | undefined): WakeTicket | null {
  const match = /^(\d{1,5}) ([\w-]{22}) ([\w-]{43}) (\d{1,14})$/.exec(String(header ?? ''));
  if (!match) return null;
  const [, port = '', ticket = '', key = '', number = ''] = match;
  return {
    port: Number(port),
    ticket: new Uint8Array(Buffer.from(ticket, 'base64url')),
    key: new Uint8Array(Buffer.from(key, 'base64url')),
    number: Number(number),
  };
}

const dayMs = 86_400_000;

/** One that was made in the future was made while the clock was wrong: it gets a date that is right as soon as the clock is. */
export function keyIsOld(key: { madeAtMs: number; nowMs: number; days: number; clockIsRight: boolean }): boolean {
  const ageMs = key.nowMs - key.madeAtMs;
  return ageMs > key.days * dayMs || (key.clockIsRight && ageMs < -dayMs);
}

/** For people, who may have mistyped. */
export function enrolmentProblem({ status, text }: Answer): string {
  if (status === 401) return 'the portal refuses this code: it was used by another box, has expired, or was mistyped';
  if (status === 421) return 'this box has been sent to another portal: ask the administrator for a new code';
  return `the portal answered ${status} to the enrolment: ${text.slice(0, 200)}`;
}
