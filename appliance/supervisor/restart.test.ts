import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isCrashLooping,
  limits,
  type ServiceEffect,
  type ServiceEvent,
  type ServiceState,
  step,
  stoppedService,
  wakeAt,
} from './restart.ts';

/** Plays events at one clock and remembers the effects. */
class Play {
  state: ServiceState = stoppedService;
  now = 0;
  effects: ServiceEffect[] = [];

  on(event: ServiceEvent): this {
    const next = step(this.state, event, this.now);
    this.state = next.state;
    this.effects.push(...next.effects);
    return this;
  }

  /** To the next timer. */
  wake(): this {
    this.now = wakeAt(this.state);
    return this.on({ kind: 'wake' });
  }

  live(ms: number): this {
    this.on({ kind: 'started' }).on({ kind: 'answered' }).on({ kind: 'probed', ok: true, detail: '' });
    this.now += ms;
    return this;
  }

  crash(): this {
    return this.on({ kind: 'exited', detail: 'signal SIGKILL' });
  }

  take(): ServiceEffect[] {
    return this.effects.splice(0);
  }
}

const wanted = () => new Play().on({ kind: 'want' });

test('a service is started, configured, and asked to prove its work at once and again and again', () => {
  const play = wanted().on({ kind: 'started' }).on({ kind: 'answered' });
  assert.deepEqual(play.take(), ['spawn', 'configure', 'probe']);
  play.on({ kind: 'probed', ok: true, detail: '' }).wake();
  assert.deepEqual([play.now, play.take()], [limits.probeEvery, ['probe']]);
});

test('killed a hundred times after three seconds of work, it comes back at once a hundred times', () => {
  const play = wanted();
  play.take();
  for (let i = 0; i < 100; i += 1) {
    play.live(3000);
    play.take();
    play.crash();
    assert.deepEqual(play.take(), ['spawn']);
  }
  assert.equal(isCrashLooping(play.state, play.now), false);
  assert.equal(play.state.record.restarts, 100);
});

test('a service that answers an honest no is no crash loop, however often it is killed', () => {
  const play = wanted();
  play.take();
  for (let i = 0; i < 100; i += 1) {
    play.on({ kind: 'started' }).on({ kind: 'answered' }).on({ kind: 'probed', ok: false, detail: 'no clock' });
    play.now += 1500;
    play.take();
    assert.deepEqual(play.crash().take(), ['spawn']);
  }
});

test('a crash loop is contained: pauses grow to half a minute, and it is said', () => {
  const play = wanted();
  const pauses = Array.from({ length: 14 }, () => {
    const before = play.now;
    play.crash();
    if (play.state.name === 'waiting') play.wake();
    return play.now - before;
  });
  assert.deepEqual(pauses, [0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  assert.equal(isCrashLooping(play.state, play.now), true);
  play.live(60_000);
  assert.equal(isCrashLooping(play.state, play.now), false, 'said no longer once it works');
  play.crash();
  assert.equal(isCrashLooping(play.state, play.now), false, 'a minute of proven work forgives everything');
});

test('silence is a hang: killed after two questions', () => {
  const play = wanted().on({ kind: 'started' }).on({ kind: 'answered' });
  play.take();
  play.wake();
  assert.deepEqual(play.take(), ['probe']);
  play.wake();
  assert.deepEqual(play.take(), ['kill']);
  play.crash();
  assert.deepEqual(play.take(), ['spawn']);
  assert.equal(play.state.record.lastEnd, 'hung: it did not answer');
});

test('an honest no is reported, and answered with a restart only after five minutes', () => {
  const play = wanted().on({ kind: 'started' }).on({ kind: 'answered' });
  play.take();
  let kills = 0;
  while (kills === 0 && play.now < 1e6) {
    play.on({ kind: 'probed', ok: false, detail: 'no address' });
    kills = play.take().filter((effect) => effect === 'kill').length;
    if (kills > 0) break;
    const asked = play.now;
    play.wake();
    assert.equal(play.now - asked, limits.probeAiling);
  }
  assert.equal(play.now, limits.ailing);
});

test('what does not start, or does not answer its configuration, is killed', () => {
  const mute = wanted();
  mute.take();
  assert.deepEqual(mute.wake().take(), ['kill']);
  const slow = wanted().on({ kind: 'started' });
  slow.take();
  assert.deepEqual(slow.wake().take(), ['kill']);
  assert.equal(slow.state.record.lastEnd, 'did not answer its configuration');
});

test('a stop is asked for, then enforced; what was wanted again meanwhile starts after the end', () => {
  const play = wanted().live(10);
  play.take();
  assert.deepEqual(play.on({ kind: 'unwant' }).take(), ['stop']);
  assert.deepEqual(play.wake().take(), ['kill']);
  play.on({ kind: 'want' }).crash();
  assert.deepEqual(play.take(), ['spawn']);
  play.live(10).on({ kind: 'unwant' }).crash();
  assert.equal(play.state.name, 'stopped');
  const resting = wanted();
  for (let i = 0; i < 7; i += 1) resting.crash();
  while (resting.state.name !== 'waiting') resting.crash();
  assert.equal(resting.on({ kind: 'unwant' }).state.name, 'stopped');
});
