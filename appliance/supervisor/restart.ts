/**
 * Theory of operation. One machine per service; the shell around it (`service-runner.ts`) owns the process.
 *
 *     stopped --want--> starting --started--> running --exited--> waiting --time--> starting
 *        ^                                       |
 *        +-------- ending <------unwant----------+
 *
 * A service is given its configuration as soon as it has `started`, and asked to prove its work as soon as that is in force,
 * and then again and again. Silence is a hang: the process is killed. An honest "no" is trouble of the world (no cable, a
 * port that is taken) that a restart seldom mends: it is reported, and only after minutes answered with a restart.
 *
 * How soon the next start comes is a matter of `heat`: each end adds one degree, life that answers takes degrees away. Up to
 * `coolDegrees` a service comes back at once; above, it is a crash loop, said so, and given growing pauses.
 */

export type ServiceState =
  | { readonly name: 'stopped'; readonly record: Record }
  | { readonly name: 'waiting'; readonly until: number; readonly record: Record }
  | { readonly name: 'starting'; readonly deadline: number; readonly record: Record }
  | Running
  /** Told to stop, or killed; `again` is whether another start follows. */
  | { readonly name: 'ending'; readonly deadline: number; readonly again: boolean; readonly record: Record };

interface Running {
  readonly name: 'running';
  /** Until when it must have said that it is configured; infinite when it has. */
  readonly configureBy: number;
  readonly probe: { readonly name: 'due'; readonly at: number } | { readonly name: 'asked'; readonly deadline: number };
  readonly unanswered: number;
  /** When the first question of this life was answered, be it by an honest "no": what answers does not loop. */
  readonly answeredAt: number | null;
  readonly ailing: { readonly since: number; readonly detail: string } | null;
  readonly record: Record;
}

/** What is remembered over all lives of a service. */
interface Record {
  readonly heat: number;
  readonly restarts: number;
  readonly lastEnd: string | null;
}

export type ServiceEvent =
  | { readonly kind: 'want' }
  | { readonly kind: 'unwant' }
  | { readonly kind: 'started' }
  /** A new configuration was sent to a running service. */
  | { readonly kind: 'configuring' }
  /** It is in force, or refused: either way the service lives. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'probed'; readonly ok: boolean; readonly detail: string }
  | { readonly kind: 'exited'; readonly detail: string }
  | { readonly kind: 'wake' };

export type ServiceEffect = 'spawn' | 'configure' | 'probe' | 'stop' | 'kill';

/**
 * Milliseconds. A slow board that also has something else to do needs half a minute to start Node and compile a service (an
 * emulated one does): a limit below that is a crash loop of our own making.
 */
export const limits = {
  start: 90_000,
  configure: 60_000,
  probeEvery: 10_000,
  /** A service that does not do its work is asked sooner: what is mended shall not be told as broken. */
  probeAiling: 2000,
  probe: 5000,
  ailing: 300_000,
  stop: 5000,
  kill: 2000,
  firstPause: 1000,
  longestPause: 30_000,
  /** Life that takes away one degree. */
  coolingPerDegree: 1000,
} as const;

/** A handful of ends in a row is bad luck; the tunnel's users shall not wait for a pause then. */
const coolDegrees = 5;
const hottest = 12;
const unansweredBeforeKill = 2;

type Step = { readonly state: ServiceState; readonly effects: readonly ServiceEffect[] };

export const stoppedService: ServiceState = { name: 'stopped', record: { heat: 0, restarts: 0, lastEnd: null } };

export function wakeAt(state: ServiceState): number {
  switch (state.name) {
    case 'stopped':
      return Number.POSITIVE_INFINITY;
    case 'waiting':
      return state.until;
    case 'starting':
    case 'ending':
      return state.deadline;
    case 'running':
      return Math.min(state.configureBy, state.probe.name === 'due' ? state.probe.at : state.probe.deadline);
  }
}

/** Keeps ending soon after its start: it is given pauses. Life that answers forgives. */
export function isCrashLooping(state: ServiceState, now: number): boolean {
  return heatNow(state, now) > coolDegrees;
}

export function step(state: ServiceState, event: ServiceEvent, now: number): Step {
  switch (event.kind) {
    case 'want':
      return want(state, now);
    case 'unwant':
      return unwant(state, now);
    case 'exited':
      return exited(state, event.detail, now);
    case 'wake':
      return now < wakeAt(state) ? still(state) : woken(state, now);
    case 'started':
      return state.name === 'starting' ? begun(state.record, now) : still(state);
    default:
      return state.name === 'running' ? whileRunning(state, event, now) : still(state);
  }
}

const still = (state: ServiceState): Step => ({ state, effects: [] });

function want(state: ServiceState, now: number): Step {
  if (state.name === 'stopped') return spawned(state.record, now);
  return still(state.name === 'ending' ? { ...state, again: true } : state);
}

function unwant(state: ServiceState, now: number): Step {
  const { record } = state;
  if (state.name === 'waiting') return still({ name: 'stopped', record });
  if (state.name === 'ending') return still({ ...state, again: false });
  if (state.name === 'stopped') return still(state);
  return { state: { name: 'ending', deadline: now + limits.stop, again: false, record }, effects: ['stop'] };
}

function spawned(record: Record, now: number): Step {
  return { state: { name: 'starting', deadline: now + limits.start, record }, effects: ['spawn'] };
}

function begun(record: Record, now: number): Step {
  const state: Running = {
    name: 'running',
    configureBy: now + limits.configure,
    probe: { name: 'due', at: Number.POSITIVE_INFINITY },
    unanswered: 0,
    answeredAt: null,
    ailing: null,
    record,
  };
  return { state, effects: ['configure'] };
}

function whileRunning(
  state: Running,
  event: Extract<ServiceEvent, { kind: 'configuring' | 'answered' | 'probed' }>,
  now: number,
): Step {
  switch (event.kind) {
    case 'configuring':
      return still({ ...state, configureBy: now + limits.configure });
    case 'answered':
      return asked({ ...state, configureBy: Number.POSITIVE_INFINITY }, now);
    case 'probed': {
      const ailing = event.ok ? null : { since: state.ailing?.since ?? now, detail: event.detail };
      const probe = { name: 'due', at: now + (event.ok ? limits.probeEvery : limits.probeAiling) } as const;
      const answeredAt = state.answeredAt ?? now;
      const next: Running = { ...state, unanswered: 0, answeredAt, ailing, probe };
      const hopeless = ailing !== null && now - ailing.since >= limits.ailing;
      return hopeless ? killed(next, `does not do its work: ${event.detail}`, now) : still(next);
    }
  }
}

function asked(state: Running, now: number): Step {
  return { state: { ...state, probe: { name: 'asked', deadline: now + limits.probe } }, effects: ['probe'] };
}

function killed(state: Running | Extract<ServiceState, { name: 'starting' }>, why: string, now: number): Step {
  const record = { ...state.record, heat: heatAfter(state, now), lastEnd: why };
  return { state: { name: 'ending', deadline: now + limits.kill, again: true, record }, effects: ['kill'] };
}

function woken(state: ServiceState, now: number): Step {
  switch (state.name) {
    case 'waiting':
      return spawned(state.record, now);
    case 'starting':
      return killed(state, 'did not start', now);
    case 'ending':
      return { state: { ...state, deadline: now + limits.kill }, effects: ['kill'] };
    case 'running': {
      if (now >= state.configureBy) return killed(state, 'did not answer its configuration', now);
      if (state.probe.name === 'due') return asked(state, now);
      const unanswered = state.unanswered + 1;
      if (unanswered >= unansweredBeforeKill) return killed(state, 'hung: it did not answer', now);
      return asked({ ...state, unanswered }, now);
    }
    case 'stopped':
      return still(state);
  }
}

function exited(state: ServiceState, detail: string, now: number): Step {
  if (state.name === 'stopped' || state.name === 'waiting') return still(state);
  if (state.name === 'ending' && !state.again) return still({ name: 'stopped', record: state.record });
  // What was killed has its heat and its reason already.
  const { heat, lastEnd } = state.name === 'ending' ? state.record : { heat: heatAfter(state, now), lastEnd: detail };
  const record = { heat, lastEnd, restarts: state.record.restarts + 1 };
  const pause = pauseMs(heat);
  return pause === 0 ? spawned(record, now) : still({ name: 'waiting', until: now + pause, record });
}

function heatNow(state: ServiceState, now: number): number {
  const life = state.name === 'running' && state.answeredAt !== null ? now - state.answeredAt : 0;
  return Math.max(0, state.record.heat - life / limits.coolingPerDegree);
}

function heatAfter(state: ServiceState, now: number): number {
  return Math.min(hottest, heatNow(state, now) + 1);
}

function pauseMs(heat: number): number {
  if (heat <= coolDegrees) return 0;
  return Math.min(limits.longestPause, limits.firstPause * 2 ** (Math.ceil(heat) - coolDegrees - 1));
}
