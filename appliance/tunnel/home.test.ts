import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure } from '../ike/api.ts';
import { type HomeEvent, type HomeState, startHome, step, wakeAt } from './home.ts';

const random = (length: number) => new Uint8Array(length).fill(128); // the middle of the jitter: a factor of 1

function play(state: HomeState, now: number, event: HomeEvent, addressCount = 1) {
  return step(state, event, addressCount, { now, random });
}
const lost = (failure: Failure): HomeEvent => ({ kind: 'lost', failure, detail: '' });

/** The pauses in milliseconds between a failure and the next call, `rounds` times in a row. */
function pauses(failure: Failure, rounds: number, addressCount = 1): number[] {
  let state = startHome(0);
  let now = 0;
  return Array.from({ length: rounds }, () => {
    state = play(state, now, { kind: 'wake' }, addressCount).state;
    state = play(state, now, lost(failure), addressCount).state;
    const pause = wakeAt(state) - now;
    now = wakeAt(state);
    return pause;
  });
}

test('it calls at once, and again after growing pauses', () => {
  const { state, effects } = play(startHome(0), 0, { kind: 'wake' });
  assert.deepEqual(effects, [{ kind: 'call', addressIndex: 0 }]);
  assert.equal(wakeAt(state), Number.POSITIVE_INFINITY); // IKE has the word now
  assert.deepEqual(pauses('noAnswer', 7), [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

test('a refusal is asked again soon, for the other end may be a moment behind, and then not every second', () => {
  assert.deepEqual(pauses('authenticationFailed', 5), [500, 1000, 20_000, 40_000, 60_000]);
});

test('all addresses are tried without a pause between them', () => {
  assert.deepEqual(pauses('noAnswer', 5, 2), [0, 2000, 0, 4000, 0]);
  let state = startHome(0);
  const called = Array.from({ length: 4 }, () => {
    const woken = play(state, 1e6, { kind: 'wake' }, 2);
    state = { ...play(woken.state, 0, lost('noAnswer'), 2).state };
    return woken.effects[0]?.addressIndex;
  });
  assert.deepEqual(called, [0, 1, 0, 1]);
});

test('a tunnel that was up is called again after the shortest pause', () => {
  const up = play(startHome(0), 5, { kind: 'established' }).state;
  const down = play(up, 100, lost('peerDead')).state;
  assert.equal(wakeAt(down), 1100);
});

test('waking too early does nothing', () => {
  const waiting: HomeState = { name: 'waiting', until: 50, attempt: 3, last: null };
  assert.deepEqual(play(waiting, 49, { kind: 'wake' }), { state: waiting, effects: [] });
});

test('where there are several addresses, one that says nothing is given up soon, later in each further round', () => {
  let state = startHome(0);
  let now = 0;
  const patience = Array.from({ length: 6 }, () => {
    now = wakeAt(state);
    state = play(state, now, { kind: 'wake' }, 2).state;
    const given = wakeAt(state) - now;
    state = play(state, wakeAt(state), lost('noAnswer'), 2).state;
    return given;
  });
  assert.deepEqual(patience, [2000, 2000, 4000, 4000, 8000, 8000]);
});

test('one that has answered is left to IKE', () => {
  const { state } = play(startHome(0), 0, { kind: 'wake' }, 2);
  assert.equal(wakeAt(play(state, 1, { kind: 'heard' }, 2).state), Number.POSITIVE_INFINITY);
});
