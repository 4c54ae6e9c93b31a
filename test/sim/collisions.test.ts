import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Scene, scenes } from './collision-scenes.ts';
import { playTrace, type TraceOptions } from './trace.ts';

interface Way {
  readonly trace: string;
  readonly options: TraceOptions;
}

/** Every way in which a scene is played: its traces, either end as a, each nonce the lowest, with packets under way and without. */
function ways({ traces, roles = false, nonces, a = {}, b = {}, left = 1 }: Scene): Way[] {
  const lowests = nonces ? Array.from({ length: nonces.count }, (_, lowest) => ({ lowest })) : [{}];
  const ends = (roles ? [false, true] : [false]).map((aIsPortal) => ({
    aIsPortal,
    peers: aIsPortal ? { home: b, portal: a } : { home: a, portal: b },
  }));
  const combined = ends.flatMap((end) =>
    lowests.flatMap((lowest) => [false, true].map((traffic) => ({ ...end, ...lowest, traffic, left }))),
  );
  return traces.flatMap((trace) => combined.map((options) => ({ trace, options })));
}

for (const scene of scenes) {
  test(`${scene.suite}: ${scene.name}`, () => {
    for (const { trace, options } of ways(scene)) {
      const { problems, winner } = playTrace(trace, options);
      const { lowest } = options;
      const which = `${trace} (a is the ${options.aIsPortal ? 'portal' : 'home'}, traffic ${options.traffic}, lowest ${lowest})`;
      assert.deepEqual(problems, [], which);
      if (lowest === undefined || scene.b?.lifetimes) continue;
      assert.equal(winner, scene.nonces?.bWins.includes(lowest) ? 'b' : 'a', which);
    }
  });
}

test('the names are those of the other implementation', () => {
  const count = (suite: Scene['suite']) => scenes.filter((scene) => scene.suite === suite).length;
  assert.deepEqual(
    [count('child_rekey'), count('ike_rekey'), count('child_delete'), count('ike_delete')],
    [29, 18, 3, 2],
  );
});
