import type { Env } from '../../../lib/env.ts';
import type { Name } from '../wire/name.ts';
import { serialAfter } from '../wire/rdata.ts';
import type { TsigKey } from '../wire/tsig.ts';
import type { Zone } from '../zone/zone.ts';
import { type Asking, type Reply, type RequestType, readReply, writeRequest } from './exchange.ts';

/**
 * Theory of operation. One machine per zone (RFC 1034 4.3.5). It is idle until its refresh or retry time, a NOTIFY or
 * a `nudge`; then it tries the primaries one after the other. With a primary everything happens on one TCP connection:
 *
 *     connect -> SOA -> serial newer? -> IXFR -> publish, save        (AXFR if we hold nothing)
 *                       not newer    -> refreshed
 *
 * TCP for the SOA too: nobody off the path can forge it, and the transfer needs the connection anyway. A primary that
 * cannot do IXFR, or whose differences do not fit, is asked for AXFR over a new connection. When all primaries failed
 * the machine waits for the SOA's retry time, or less while none could be reached at all (a tunnel that comes back
 * must not cost a quarter of an hour). What is held is served all the time; `expired` only marks it.
 */
export interface Primary {
  readonly address: string;
  readonly port: number;
  readonly key?: TsigKey | undefined;
}

export interface SecondaryConfig {
  readonly origin: Name;
  readonly primaries: readonly Primary[];
}

export interface SecondaryEnv extends Env {
  /** Time of day, for TSIG, in seconds since 1970. */
  readonly wallSeconds: number;
}

/** `refreshedAt`: when a primary last confirmed it; before the machine started if it came from the disk. */
export interface Held {
  readonly zone: Zone;
  readonly refreshedAt: number;
  readonly savedAt: number;
  readonly expired: boolean;
}

interface Trying {
  readonly name: 'trying';
  readonly primary: number;
  /** Primaries that are still to be tried after this one. */
  readonly left: number;
  /** The next request; `undefined` once it is on the wire, as `asking` then says. */
  readonly want: RequestType;
  readonly asking: Asking | undefined;
  readonly deadlineAt: number;
  readonly endAt: number;
}

export type Activity = { readonly name: 'idle'; readonly nextAt: number } | Trying;

export interface SecondaryState {
  readonly config: SecondaryConfig;
  readonly held: Held | undefined;
  readonly activity: Activity;
  /** A NOTIFY came while trying: try again when done, at this primary. */
  readonly again: number | undefined;
  readonly failures: number;
  /** Whether the last round reached a primary that answered anything. */
  readonly reached: boolean;
  /** The last thing that went wrong since the last success; a sentence for people. */
  readonly problem: string | undefined;
}

export type SecondaryEvent =
  | { readonly kind: 'timer' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'closed'; readonly problem: string }
  /** A NOTIFY that may be believed; its sender is asked first if it is a primary. `serial`: what it says it has. */
  | { readonly kind: 'notify'; readonly from: string; readonly serial?: number }
  /** The way to the primaries may be open again. */
  | { readonly kind: 'nudge' };

export type SecondaryEffect =
  | { readonly kind: 'connect'; readonly primary: Primary }
  | { readonly kind: 'send'; readonly bytes: Buffer }
  | { readonly kind: 'hangUp' }
  /** Serve it from now on. `incremental`: it came as a difference. */
  | { readonly kind: 'publish'; readonly zone: Zone; readonly incremental: boolean }
  /** Keep zone and the time of refresh on disk. */
  | { readonly kind: 'save'; readonly zone: Zone }
  | { readonly kind: 'expired' }
  | { readonly kind: 'refreshed' }
  | { readonly kind: 'failed'; readonly primary: Primary; readonly problem: string };

interface Step {
  readonly state: SecondaryState;
  readonly effects: readonly SecondaryEffect[];
}

/** Milliseconds. A whole transfer may take long over a slow line, as long as messages keep coming. */
export const timing = {
  answer: 8_000,
  transfer: 30 * 60_000,
  unreachable: 4_000,
  noZoneRetry: 60_000,
  minimumRefresh: 10_000,
  startSpread: 2_000,
  nudgeSpread: 500,
} as const;

/** `held`: the zone from the disk with its age in seconds at `env.now` (0 if the clock cannot tell). */
export function startSecondary(
  config: SecondaryConfig,
  stored: { zone: Zone; ageSeconds: number } | undefined,
  env: Env,
): SecondaryState {
  const refreshedAt = env.now - (stored?.ageSeconds ?? 0) * 1000;
  const held = stored && { zone: stored.zone, refreshedAt, savedAt: refreshedAt, expired: false };
  // Thousands of boxes boot after one power cut: not all in the same moment. Without a zone there is nothing to spare.
  const nextAt = stored ? env.now + spread(timing.startSpread, env) : env.now;
  const activity = { name: 'idle', nextAt } as const;
  return { config, held, activity, again: undefined, failures: 0, reached: true, problem: undefined };
}

function spread(milliseconds: number, env: Env): number {
  const [a = 0, b = 0] = env.random(2);
  return (milliseconds * (a * 256 + b)) / 65536;
}

export function wakeAt(state: SecondaryState): number {
  const next = state.activity.name === 'idle' ? state.activity.nextAt : state.activity.deadlineAt;
  return state.held && !state.held.expired ? Math.min(next, expiresAt(state.held)) : next;
}

export function expiresAt(held: Held): number {
  return held.refreshedAt + held.zone.soa.expire * 1000;
}

export function step(state: SecondaryState, event: SecondaryEvent, env: SecondaryEnv): Step {
  switch (event.kind) {
    case 'timer':
      return onTimer(state, env);
    case 'connected':
      return ask(state, env);
    case 'message':
      return onMessage(state, event.bytes, env);
    case 'closed':
      return fail(state, event.problem, env);
    case 'notify':
      return onNotify(state, event, env);
    case 'nudge':
      return onNudge(state, env);
  }
}

function onTimer(state: SecondaryState, env: SecondaryEnv): Step {
  const { held, activity } = state;
  if (held && !held.expired && env.now >= expiresAt(held)) {
    const rest = onTimer({ ...state, held: { ...held, expired: true } }, env);
    return { state: rest.state, effects: [{ kind: 'expired' }, ...rest.effects] };
  }
  if (activity.name === 'idle') return env.now >= activity.nextAt ? begin(state, 0, env) : { state, effects: [] };
  if (env.now < activity.deadlineAt) return { state, effects: [] };
  const failed = fail(state, activity.asking ? 'no answer in time' : 'no connection in time', env);
  return { state: failed.state, effects: [{ kind: 'hangUp' }, ...failed.effects] };
}

function onNotify(state: SecondaryState, event: { from: string; serial?: number }, env: SecondaryEnv): Step {
  const primary = Math.max(
    0,
    state.config.primaries.findIndex(({ address }) => address === event.from),
  );
  const known = state.held && event.serial !== undefined && !serialAfter(event.serial, state.held.zone.soa.serial);
  if (known) return { state, effects: [] };
  if (state.activity.name === 'trying') return { state: { ...state, again: primary }, effects: [] };
  return begin(state, primary, env);
}

/** A NOTIFY may have been lost while the way was closed: a zone without a failure is asked about too. */
function onNudge(state: SecondaryState, env: SecondaryEnv): Step {
  const { activity } = state;
  if (activity.name === 'idle') {
    // Thousands of boxes hear of the same portal's return: not all in the same moment.
    const nextAt = Math.min(activity.nextAt, env.now + spread(timing.nudgeSpread, env));
    return { state: { ...state, activity: { name: 'idle', nextAt } }, effects: [] };
  }
  if (activity.asking) return { state: { ...state, again: activity.primary }, effects: [] };
  // A connection that was begun while the way was closed waits ever longer between its tries.
  const anew = begin(state, activity.primary, env);
  return { state: anew.state, effects: [{ kind: 'hangUp' }, ...anew.effects] };
}

function begin(state: SecondaryState, primary: number, env: SecondaryEnv): Step {
  const left = state.config.primaries.length - 1;
  return connect(
    { ...state, again: undefined, reached: false },
    { primary, left, want: state.held ? 'SOA' : 'AXFR' },
    env,
  );
}

function connect(state: SecondaryState, at: Pick<Trying, 'primary' | 'left' | 'want'>, env: SecondaryEnv): Step {
  const primary = state.config.primaries[at.primary];
  if (!primary) return { state, effects: [] };
  const deadlineAt = env.now + timing.answer;
  const activity = { name: 'trying', ...at, asking: undefined, deadlineAt, endAt: env.now + timing.transfer } as const;
  return { state: { ...state, activity }, effects: [{ kind: 'connect', primary }] };
}

/** Puts the request that is wanted on the wire. */
function ask(state: SecondaryState, env: SecondaryEnv): Step {
  const { activity, config } = state;
  const key = activity.name === 'trying' ? config.primaries[activity.primary]?.key : undefined;
  if (activity.name !== 'trying') return { state, effects: [] };
  const id = env.random(2).reduce((sum, octet) => sum * 256 + octet, 0);
  const zone = state.held?.zone;
  const { bytes, verifier } = writeRequest(
    { origin: config.origin, request: activity.want, id, zone, key },
    env.wallSeconds,
  );
  const asking: Asking = { request: activity.want, id, verifier, transfer: { name: 'start' } };
  const next = { ...activity, asking, deadlineAt: Math.min(env.now + timing.answer, activity.endAt) };
  return { state: { ...state, activity: next }, effects: [{ kind: 'send', bytes }] };
}

function onMessage(state: SecondaryState, bytes: Buffer, env: SecondaryEnv): Step {
  const { activity, held, config } = state;
  if (activity.name !== 'trying' || !activity.asking) return { state, effects: [] };
  const context = { zone: held?.zone, origin: config.origin };
  const reply = readReply(activity.asking, bytes, context, env.wallSeconds);
  return onReply({ ...state, reached: true }, activity, reply, env);
}

function onReply(state: SecondaryState, trying: Trying, reply: Reply, env: SecondaryEnv): Step {
  switch (reply.kind) {
    case 'more': {
      const deadlineAt = Math.min(env.now + timing.answer, trying.endAt);
      const asking = { ...reply.asking };
      return { state: { ...state, activity: { ...trying, asking, deadlineAt } }, effects: [] };
    }
    case 'serial': {
      const held = state.held?.zone.soa.serial;
      const newer = held === undefined || serialAfter(reply.serial, held);
      if (!newer) return succeed(state, undefined, env);
      return ask({ ...state, activity: { ...trying, want: held === undefined ? 'AXFR' : 'IXFR' } }, env);
    }
    case 'current':
      return succeed(state, undefined, env);
    case 'zone':
      return succeed(state, reply, env);
    case 'problem':
      return onProblem(state, trying, reply.problem, env);
  }
}

/** RFC 1995 4 and 5: whatever goes wrong with IXFR, the whole zone is the way out. */
function onProblem(state: SecondaryState, trying: Trying, problem: string, env: SecondaryEnv): Step {
  if (trying.asking?.request !== 'IXFR') {
    const failed = fail(state, problem, env);
    return { state: failed.state, effects: [{ kind: 'hangUp' }, ...failed.effects] };
  }
  const again = connect(state, { primary: trying.primary, left: trying.left, want: 'AXFR' }, env);
  return { state: again.state, effects: [{ kind: 'hangUp' }, ...again.effects] };
}

function succeed(
  state: SecondaryState,
  got: { zone: Zone; incremental: boolean } | undefined,
  env: SecondaryEnv,
): Step {
  const zone = got?.zone ?? state.held?.zone;
  if (!zone) return fail(state, 'the primary has no zone for us', env);
  // The disk is spared: a refresh that changed nothing is written down ten times in an expiry period, not each time.
  const savedAt = state.held?.savedAt ?? 0;
  const save = got !== undefined || env.now - savedAt > (zone.soa.expire * 1000) / 10;
  const held = { zone, refreshedAt: env.now, savedAt: save ? env.now : savedAt, expired: false };
  const refresh = Math.max(zone.soa.refresh * 1000, timing.minimumRefresh);
  const activity = { name: 'idle', nextAt: env.now + refresh - spread(refresh / 10, env) } as const;
  const effects: SecondaryEffect[] = [{ kind: 'hangUp' }, { kind: 'refreshed' }];
  if (got) effects.push({ kind: 'publish', zone, incremental: got.incremental });
  if (save) effects.push({ kind: 'save', zone });
  return followUp({ ...state, held, activity, failures: 0, problem: undefined }, effects, env);
}

function fail(state: SecondaryState, problem: string, env: SecondaryEnv): Step {
  const { activity, config } = state;
  if (activity.name !== 'trying') return { state, effects: [] };
  const primary = config.primaries[activity.primary];
  const effects: SecondaryEffect[] = primary ? [{ kind: 'failed', primary, problem }] : [];
  if (activity.left > 0) {
    const next = { primary: (activity.primary + 1) % config.primaries.length, left: activity.left - 1 };
    const tried = connect({ ...state, problem }, { ...next, want: state.held ? 'SOA' : 'AXFR' }, env);
    return { state: tried.state, effects: [...effects, ...tried.effects] };
  }
  const failures = state.failures + 1;
  const idle = { name: 'idle', nextAt: env.now + retryAfter({ ...state, failures }, env) } as const;
  return followUp({ ...state, activity: idle, failures, problem }, effects, env);
}

function retryAfter(state: SecondaryState, env: Env): number {
  const backOff = Math.min(1000 * 2 ** Math.min(state.failures - 1, 10), timing.noZoneRetry);
  if (!state.reached) return Math.min(backOff, timing.unreachable) * 0.75 + spread(timing.unreachable / 4, env);
  const retry = state.held ? Math.max(state.held.zone.soa.retry * 1000, timing.minimumRefresh) : backOff;
  return retry - spread(retry / 10, env);
}

function followUp(state: SecondaryState, effects: readonly SecondaryEffect[], env: SecondaryEnv): Step {
  if (state.again === undefined) return { state, effects };
  const next = begin(state, state.again, env);
  return { state: next.state, effects: [...effects, ...next.effects] };
}
