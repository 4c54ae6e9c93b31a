/** The work probe: does this box do its job? */
import type { BoxSettings } from './seed.ts';

export interface Facts {
  /** What the supervisor says of the tunnel; null when it does not answer. */
  readonly state: 'up' | 'connecting' | 'down' | null;
  readonly sentence: string;
  readonly page: Page | null;
  /** Packets of the LAN's size there and back, names that our DNS must answer: what the configuration names. */
  readonly proofs: readonly Proof[];
}

export interface Proof {
  readonly kind: 'ping' | 'name' | 'portal';
  readonly ok: boolean;
  readonly detail: string;
}

/** A fetch of `[box] probe` through the tunnel. */
export interface Page {
  readonly status: number;
  readonly octets: number;
  readonly seconds: number;
  /** The error in a word, such as ETIMEDOUT; empty when it answered. */
  readonly error: string;
}

export type Work = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly sentence: string };

/** `reason` is one word for the boot state, `sentence` is for the portal and for people. */
export function judgeWork({ state, sentence, page, proofs }: Facts, box: BoxSettings): Work {
  if (state === null) return { ok: false, reason: 'no-supervisor', sentence: 'The supervisor does not answer.' };
  if (state !== 'up') return { ok: false, reason: 'no-tunnel', sentence };
  const failed = proofs.find(({ ok }) => !ok);
  if (failed) return { ok: false, reason: `no-${failed.kind}`, sentence: `${failed.detail}.` };
  if (box.probe === undefined) return { ok: true };
  if (page === null || page.error !== '') {
    return {
      ok: false,
      reason: 'no-page',
      sentence: `The page ${box.probe} does not answer: ${page?.error ?? 'not tried'}.`,
    };
  }
  if (page.status !== 200)
    return { ok: false, reason: 'no-page', sentence: `The page ${box.probe} answers ${page.status}.` };
  const rate = page.octets / Math.max(page.seconds, 0.001);
  // A short page says nothing about throughput.
  if (page.octets >= 65_536 && rate < box.probeFloor) {
    const found = `${Math.round(rate)} octets/s where ${box.probeFloor} are asked for`;
    return { ok: false, reason: 'too-slow', sentence: `The tunnel is too slow: ${found}.` };
  }
  return { ok: true };
}
