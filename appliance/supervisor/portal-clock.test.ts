import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClockDecision, type ClockEvidence, decideClock, PortalClock } from './portal-clock.ts';

const year = 365.25 * 86_400;
const now = Date.UTC(2026, 10, 22) / 1000;
const base = { systemSeconds: 0, portalSeconds: now, roundTripSeconds: 1, floorSeconds: now - year };
const stepped: ClockDecision = { kind: 'step', toSeconds: now + 1 };

const cases: readonly [what: string, changes: Partial<ClockEvidence>, decision: ClockDecision][] = [
  ['1970', {}, stepped],
  ['five years ahead', { systemSeconds: now + 5 * year }, stepped],
  ['eleven seconds behind', { systemSeconds: now - 10 }, stepped],
  ['nine seconds ahead', { systemSeconds: now + 10 }, { kind: 'right' }],
  ['a slow answer', { roundTripSeconds: 11 }, { kind: 'ignore' }],
  ['a portal without a clock', { portalSeconds: now - 2 * year }, { kind: 'ignore' }],
  ['no date at all', { portalSeconds: Number.NaN }, { kind: 'ignore' }],
];

for (const [what, changes, decision] of cases)
  test(`the portal's time, ${what}`, () => assert.deepEqual(decideClock({ ...base, ...changes }), decision));

function clock(isKept: boolean) {
  const set: number[] = [];
  const log = { info: () => {}, error: () => {} };
  const heard = new PortalClock({
    isKept: async () => isKept,
    log,
    set: (seconds) => {
      set.push(seconds);
      return '';
    },
    floorSeconds: 0,
  });
  return { heard, set };
}

const dateIn = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString();

test('the clock is set once, and then left to NTP', async () => {
  const { heard, set } = clock(false);
  await heard.hear('no date', 0);
  await heard.hear(dateIn(year), 0.1);
  await heard.hear(dateIn(-year), 0.1);
  assert.equal(set.length, 1);
  assert.ok(Math.abs((set[0] ?? 0) - Date.now() / 1000 - year) < 3, `${set[0]}`);
});

test('a clock that was right, or that NTP keeps, is never set', async () => {
  const right = clock(false);
  await right.heard.hear(dateIn(0), 0.1);
  await right.heard.hear(dateIn(year), 0.1);
  const kept = clock(true);
  await kept.heard.hear(dateIn(year), 0.1);
  assert.deepEqual([...right.set, ...kept.set], []);
});
