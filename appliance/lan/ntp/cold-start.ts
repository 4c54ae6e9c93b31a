/** What is known when a signed answer of the portal arrives. All in seconds since 1970, but `roundTripSeconds`. */
export interface ClockEvidence {
  readonly systemSeconds: number;
  /** The time in the portal's answer, whose signature has been verified. */
  readonly signedSeconds: number;
  readonly roundTripSeconds: number;
  /** The latest time that is certainly past: of the firmware's build, or the last that was kept on disk. */
  readonly floorSeconds: number;
  /** Whether the clock has been right since this start: it was set from a signed time, or NTP agreed with it. */
  readonly trusted: boolean;
}

export type ClockDecision =
  /** Set the clock to that. */
  | { readonly kind: 'step'; readonly toSeconds: number; readonly why: string }
  | { readonly kind: 'keep'; readonly why: string };

/** Seconds. Below that chronyd slews by itself, and a signed answer is no better than what we have. */
const nearEnough = 10;
/** An answer that took longer says too little about now. */
const longestRoundTrip = 10;

/**
 * Whether to set the clock from the portal's signed time. Raw keys need no clock, so the tunnel is up before the clock
 * is right: this is its first hint. Before the clock is trusted it may be set either way (a battery that died says
 * 1970, a wrong one says five years ahead); once it is trusted nothing but chronyd moves it, and never backwards.
 */
export function decideClock(evidence: ClockEvidence): ClockDecision {
  const { systemSeconds, signedSeconds, roundTripSeconds, floorSeconds, trusted } = evidence;
  if (roundTripSeconds < 0 || roundTripSeconds > longestRoundTrip)
    return keep('the answer took too long to tell the time');
  // A recording of an old answer has a good signature too.
  if (signedSeconds < floorSeconds) return keep('the signed time is older than what is certainly past');
  if (trusted) return keep('the clock is trusted: NTP slews it');
  const target = signedSeconds + roundTripSeconds / 2;
  const off = target - systemSeconds;
  if (Math.abs(off) <= nearEnough) return keep('the clock is near enough');
  const direction = off > 0 ? 'behind' : 'ahead';
  return { kind: 'step', toSeconds: target, why: `the clock was ${Math.round(Math.abs(off))} s ${direction}` };
}

function keep(why: string): ClockDecision {
  return { kind: 'keep', why };
}
