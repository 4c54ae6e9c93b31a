/**
 * Which version of the box the portal wants here, and what became of it. The program that writes slots (rootfs/) and this one speak through two
 * files beside the box's key: `release.json` is the portal's answer, written whole, and `update.json` what was made of it. Where nobody
 * reads the first (a gateway that is no box) it does nothing.
 */
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Answer, Call } from './portal-call.ts';
import type { PortalFiles } from './portal-files.ts';

/** A roll-out takes hours: nobody waits for the minute. */
export const releaseAskMs = 900_000;
const longestProblem = 500;

const name = z.string().min(1).max(63);

/** What is signed is the bundle behind `url`; whoever installs it checks that. */
const offerSchema = z.object({
  release: name,
  url: z.url({ protocol: /^https?$/ }).max(2048),
  sha256: z.string().max(64).default(''),
  signature: z.string().max(1000).default(''),
});

export type Offer = z.output<typeof offerSchema>;

const updateSchema = z.object({
  release: name,
  state: z.enum(['downloading', 'installed', 'failed']),
  /** Sentence: why it was not installed, or was taken back. */
  problem: z.string().default(''),
});

export type Update = z.output<typeof updateSchema>;

export type ReleaseAnswer =
  | { readonly kind: 'offer'; readonly offer: Offer }
  /** No release is for this box, or no longer. */
  | { readonly kind: 'stay' }
  /** Sentence: the portal said nothing that a box could follow. */
  | { readonly kind: 'unclear'; readonly sentence: string };

export function releaseAnswer({ status, text }: Answer): ReleaseAnswer {
  if (status === 204) return { kind: 'stay' };
  const sentence = `the portal answered ${status} when it was asked for a release`;
  const offer = status === 200 ? offerSchema.safeParse(jsonOf(text)) : null;
  return offer?.success ? { kind: 'offer', offer: offer.data } : { kind: 'unclear', sentence };
}

/** Null for what the updater has not written, or not whole. */
export function parseUpdate(text: string | null): Update | null {
  const update = updateSchema.safeParse(text === null ? null : jsonOf(text));
  return update.success ? { ...update.data, problem: update.data.problem.slice(0, longestProblem) } : null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export class Releases {
  readonly #files: PortalFiles;
  readonly #log: Logger;
  readonly #askMs: number;
  #askAt = 0;

  constructor(files: PortalFiles, log: Logger, askMs: number) {
    this.#files = files;
    this.#log = log;
    this.#askMs = askMs;
  }

  /** The next look is one at once: another portal may want another release. */
  forget(): void {
    this.#askAt = 0;
  }

  /** Asks when it is time to. @throws {Error} when the portal cannot be reached. */
  async follow(ask: (call: Call) => Promise<Answer>): Promise<void> {
    if (performance.now() < this.#askAt) return;
    const said = await ask({ method: 'GET', path: '/device/1/release' });
    this.#askAt = performance.now() + this.#askMs * (0.9 + Math.random() / 5);
    // The box belongs to another portal now: the answer to the next question for a configuration says which.
    if (said.status === 421) return;
    const answer = releaseAnswer(said);
    if (answer.kind === 'unclear') return this.#log.warn({ problem: answer.sentence }, 'releaseNotUnderstood');
    const text = answer.kind === 'offer' ? JSON.stringify(answer.offer) : null;
    if (text === this.#files.releaseText()) return;
    // An offer that was withdrawn must not be found by the next start.
    this.#files.saveRelease(text);
    this.#log.info({ release: answer.kind === 'offer' ? answer.offer.release : null }, 'releaseOffered');
  }
}
