import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RestartState, started, step, wakeAt } from './restart.ts';
import { judgeServer } from './sanity.ts';
import { clockSentence, parseSources, parseTracking } from './tracking.ts';

test('absurd answers', () => {
  assert.equal(judgeServer(0.3).kind, 'sane');
  for (const offset of [1.5, -1.5, Number.NaN]) assert.equal(judgeServer(offset).kind, 'absurd');
});

test('chronyd is started again: at once, then after 1, 2, 4 ... 60 s; a minute of running starts anew', () => {
  let state: RestartState = started(0);
  let now_ = 0;
  const dies = () => {
    state = step(state, { kind: 'exited' }, { now: now_ }).state;
    const wait = wakeAt(state) - now_;
    now_ = wakeAt(state);
    const result = step(state, { kind: 'timer' }, { now: now_ });
    assert.deepEqual(result.effects, [{ kind: 'start' }]);
    state = result.state;
    return wait / 1000;
  };
  assert.deepEqual(Array.from({ length: 9 }, dies), [0, 1, 2, 4, 8, 16, 32, 60, 60]);
  now_ += 60_000;
  assert.equal(dies(), 0);
});

test('stopped is stopped', () => {
  const stopped = step(started(0), { kind: 'stop' }, { now: 1 });
  assert.deepEqual(stopped, { state: { name: 'stopped' }, effects: [{ kind: 'terminate' }] });
  assert.equal(step(stopped.state, { kind: 'exited' }, { now: 2 }).state.name, 'stopped');
  const waiting = step(started(0), { kind: 'exited' }, { now: 1 }).state;
  assert.deepEqual(step(waiting, { kind: 'stop' }, { now: 2 }).effects, [], 'nothing is there to terminate');
});

test('what chronyc prints', () => {
  const tracking = parseTracking(
    '0A090001,10.9.0.1,4,1795324207.123,0.000001500,-0.000000300,0.000002,1.5,0.001,0.1,0.000120,0.000340,1.0,Normal\n',
  );
  const expected = {
    source: '10.9.0.1',
    stratum: 4,
    systemOffset: 0.0000015,
    rootDelay: 0.00012,
    rootDispersion: 0.00034,
    leap: 'Normal',
  };
  assert.deepEqual(tracking, expected);
  const sources = parseSources(
    '^,*,10.9.0.1,3,0,377,1,-0.000000300,-0.000000300,0.000050\n^,x,10.9.0.2,2,6,7,12,5.0,5.0,0.1\nnonsense\n',
  );
  assert.deepEqual(sources, [
    { name: '10.9.0.1', state: 'selected', stratum: 3, reach: 255, offset: -0.0000003 },
    { name: '10.9.0.2', state: 'falseticker', stratum: 2, reach: 7, offset: 5 },
  ]);
  for (const text of ['', '506 Cannot talk to daemon', 'a,b,c,d,e,f,g,h,i,j,k,l,m,n'])
    assert.equal(parseTracking(text), undefined);
  assert.equal(clockSentence(expected, sources, 10), 'The clock follows 10.9.0.1 (stratum 4).');
  assert.match(clockSentence({ ...expected, stratum: 10 }, [], 10), /its own clock/);
  assert.match(clockSentence(undefined, [], 10), /does not answer/);
});
