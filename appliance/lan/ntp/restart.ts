/**
 * Theory of operation. chronyd is to run always. When it ends it is started again: at once the first time, then after
 * 1, 2, 4 ... 60 s; having run for a minute counts as health and starts the row anew. Times in milliseconds.
 */
export type RestartState =
  | { readonly name: 'running'; readonly since: number; readonly failures: number }
  | { readonly name: 'waiting'; readonly until: number; readonly failures: number }
  | { readonly name: 'stopped' };

export type RestartEvent = { readonly kind: 'exited' } | { readonly kind: 'timer' } | { readonly kind: 'stop' };

export type RestartEffect = { readonly kind: 'start' } | { readonly kind: 'terminate' };

const healthyAfter = 60_000;
const longestWait = 60_000;

export const started = (now: number): RestartState => ({ name: 'running', since: now, failures: 0 });

export function wakeAt(state: RestartState): number {
  return state.name === 'waiting' ? state.until : Number.POSITIVE_INFINITY;
}

export function step(
  state: RestartState,
  event: RestartEvent,
  env: { readonly now: number },
): { state: RestartState; effects: readonly RestartEffect[] } {
  if (event.kind === 'stop') {
    return { state: { name: 'stopped' }, effects: state.name === 'running' ? [{ kind: 'terminate' }] : [] };
  }
  if (event.kind === 'exited' && state.name === 'running') {
    const failures = env.now - state.since >= healthyAfter ? 1 : state.failures + 1;
    const wait = failures === 1 ? 0 : Math.min(longestWait, 1000 * 2 ** (failures - 2));
    return { state: { name: 'waiting', until: env.now + wait, failures }, effects: [] };
  }
  if (event.kind === 'timer' && state.name === 'waiting' && env.now >= state.until) {
    return { state: { name: 'running', since: env.now, failures: state.failures }, effects: [{ kind: 'start' }] };
  }
  return { state, effects: [] };
}
