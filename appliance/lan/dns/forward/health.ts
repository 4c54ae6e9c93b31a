/** A resolver to which questions are forwarded. `source`: the local address to ask from. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
  readonly source?: string | undefined;
}

export function upstreamId(upstream: Upstream): string {
  return `${upstream.address} port ${upstream.port}`;
}

/** What is known of one resolver. Times in milliseconds. */
export interface Health {
  readonly upstream: Upstream;
  /** Smoothed round trip; `undefined` before the first answer. */
  smoothed: number | undefined;
  /** Questions in a row that went unanswered. */
  timeouts: number;
  /** Set while it is taken for unreachable: when to look again, and after that how long to wait. */
  down: { probeAt: number; wait: number } | undefined;
  edns: boolean;
  problem: string;
  /** When it last answered or was last checked without being asked anything. */
  checkedAt: number;
  /** A question of our own is on its way to it. */
  probing: boolean;
}

/** Milliseconds. `probeMax` is below the five seconds in which a house expects its internet back. */
const timing = {
  firstTimeout: 400,
  minTimeout: 150,
  maxTimeout: 1_500,
  probeMin: 500,
  probeMax: 2_000,
  checkEvery: 10_000,
  awake: 300_000,
} as const;
const timeoutsUntilDown = 3;

export function newHealth(upstream: Upstream, now: number): Health {
  return {
    upstream,
    smoothed: undefined,
    timeouts: 0,
    down: undefined,
    edns: true,
    problem: '',
    checkedAt: now,
    probing: false,
  };
}

/** How long to wait for it before another is asked as well. */
export function timeoutOf(health: Health): number {
  if (health.smoothed === undefined) return timing.firstTimeout;
  const wait = (50 + 3 * health.smoothed) * 1.5 ** health.timeouts;
  return Math.min(timing.maxTimeout, Math.max(timing.minTimeout, wait));
}

export function noteAnswer(health: Health, roundTrip: number, now: number): void {
  health.checkedAt = now;
  health.smoothed = health.smoothed === undefined ? roundTrip : health.smoothed * 0.8 + roundTrip * 0.2;
  health.timeouts = 0;
  health.down = undefined;
  health.problem = '';
}

/** An answer did not come in time. Only a row of them says that the server is gone: single packets get lost. */
export function noteTimeout(health: Health, now: number): void {
  health.timeouts += 1;
  if (health.timeouts >= timeoutsUntilDown) noteDown(health, 'does not answer', now);
}

/** The network says that it cannot be reached (or probing found it silent again). */
export function noteDown(health: Health, problem: string, now: number): void {
  const wait = Math.min(timing.probeMax, (health.down?.wait ?? timing.probeMin / 2) * 2);
  health.down = { probeAt: now + wait, wait };
  health.problem = problem;
}

/**
 * When a server that counts as up is to be asked a small question, so that a house that is awake learns of a dead line
 * before somebody has to wait for it. `lastAskAt`: when anybody last asked anything.
 */
export function checkAt(health: Health, lastAskAt: number): number {
  if (health.down) return health.down.probeAt;
  // One that has missed an answer is looked at again at once.
  const due = health.checkedAt + (health.timeouts > 0 ? 0 : timing.checkEvery);
  return due > lastAskAt + timing.awake ? Number.POSITIVE_INFINITY : due;
}

/** Forget what was learned while the way was closed. */
export function noteWayOpen(health: Health): void {
  health.timeouts = 0;
  health.down = undefined;
  health.problem = '';
}

/** Those that may answer first, quick ones first. Unknown ones come before slow ones, so that each gets its chance. */
export function inOrder(healths: readonly Health[]): Health[] {
  const cost = (health: Health) => (health.down ? 1e6 : 0) + health.timeouts * 1000 + (health.smoothed ?? 20);
  return healths.toSorted((a, b) => cost(a) - cost(b));
}
