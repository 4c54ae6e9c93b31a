/**
 * The first hint of what time it is. Raw keys need no clock, so the tunnel and the portal's answers are there before the clock is right; a
 * box without a battery says 1970, a wrong one five years ahead. `decideClock` is pure; `PortalClock` sets the machine's clock, once.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Logger } from 'pino';

/** All in seconds since 1970, but `roundTripSeconds`. */
export interface ClockEvidence {
  readonly systemSeconds: number;
  /** The `Date` of an answer (RFC 9110 6.6.1) that came over a connection with the pinned key. */
  readonly portalSeconds: number;
  readonly roundTripSeconds: number;
  /** The latest time that is certainly past. */
  readonly floorSeconds: number;
}

export type ClockDecision =
  | { readonly kind: 'step'; readonly toSeconds: number }
  | { readonly kind: 'right' }
  /** The answer says nothing about now. */
  | { readonly kind: 'ignore' };

/** Below that a clock is right: `Date` has whole seconds, and chronyd does the rest. */
const nearEnoughSeconds = 10;
/** An answer that took longer says too little about now. */
const longestRoundTripSeconds = 10;
/** `Date` is cut off to the second. */
const meanCutSeconds = 0.5;

export function decideClock(evidence: ClockEvidence): ClockDecision {
  const { systemSeconds, portalSeconds, roundTripSeconds, floorSeconds } = evidence;
  const isOfNow = roundTripSeconds >= 0 && roundTripSeconds <= longestRoundTripSeconds;
  // A portal that believes to live before we were made is itself without a clock.
  if (!isOfNow || !(portalSeconds >= floorSeconds)) return { kind: 'ignore' };
  const toSeconds = portalSeconds + meanCutSeconds + roundTripSeconds / 2;
  return Math.abs(toSeconds - systemSeconds) <= nearEnoughSeconds ? { kind: 'right' } : { kind: 'step', toSeconds };
}

export interface ClockParts {
  /** Whether NTP has set the clock: then nothing else may. */
  readonly isKept: () => Promise<boolean>;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** Sets the machine's clock. @returns what went wrong, or nothing. */
  readonly set?: (seconds: number) => string;
  readonly floorSeconds?: number;
}

export class PortalClock {
  readonly #parts: Required<ClockParts>;
  /** From then on nobody but NTP moves it: time must not jump under a box that works. */
  #isSettled = false;

  constructor(parts: ClockParts) {
    this.#parts = { set: setClock, floorSeconds: madeSeconds(), ...parts };
  }

  /** Whether it is known what time it is, as far as a portal can tell. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** @param date the header of an answer that was not held back. */
  async hear(date: unknown, roundTripSeconds: number): Promise<void> {
    if (this.#isSettled) return;
    const portalSeconds = Date.parse(String(date)) / 1000;
    const heardAtSeconds = Date.now() / 1000;
    const { isKept, log, set, floorSeconds } = this.#parts;
    const decision = decideClock({ systemSeconds: heardAtSeconds, portalSeconds, roundTripSeconds, floorSeconds });
    if (decision.kind === 'ignore') return;
    this.#isSettled = true;
    if (decision.kind === 'right' || (await isKept())) return;
    const problem = set(decision.toSeconds + Date.now() / 1000 - heardAtSeconds);
    const seconds = Math.round(decision.toSeconds - heardAtSeconds);
    if (problem === '') log.info({ seconds }, 'clockSetByPortal');
    else log.error({ problem }, 'clockNotSet');
  }
}

/** By date(1): there is no other way to it from here. */
function setClock(seconds: number): string {
  const { status, stderr, error } = spawnSync('date', ['-u', '-s', `@${seconds.toFixed(3)}`], { encoding: 'utf8' });
  return status === 0 ? '' : (error?.message ?? stderr).trim();
}

/** When the program that runs was made: in an image, the time of its release. */
function madeSeconds(): number {
  return (statSync(process.argv[1] ?? '', { throwIfNoEntry: false })?.mtimeMs ?? 0) / 1000;
}
