import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { record, soaRecord, zoneOf } from '../testing.ts';
import type { Rr } from '../wire/message.ts';
import { recordsOf } from '../zone/zone.ts';
import { stepTransfer, type TransferState } from './transfer.ts';

const soa = (serial: number) => soaRecord('corp', serial);
const a = record('a.corp', 'A', '10.0.0.1');
const b = record('b.corp', 'A', '10.0.0.2');
const c = record('c.corp', 'A', '10.0.0.3');
const held = zoneOf('corp', 1, [a, b]);
const context = { zone: held, origin: held.origin };

/** Records of the zone that comes out, without the SOA, as owners. */
function run(
  messages: readonly (readonly Rr[])[],
  from: typeof context | { zone: undefined; origin: string } = context,
): TransferState {
  return messages.reduce<TransferState>((state, answers) => stepTransfer(state, answers, from), { name: 'start' });
}

function owners(state: TransferState): string {
  if (state.name !== 'done' || state.result !== 'zone') return state.name;
  const names = [...recordsOf(state.zone)].filter(({ type }) => type === 1).map(({ owner }) => owner[1]);
  return `${state.incremental ? 'IXFR' : 'AXFR'} ${state.zone.soa.serial} ${names.sort().join('')}`;
}

test('AXFR, cut into messages anywhere', () => {
  const records = [soa(5), a, b, c, soa(5)];
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }), (cuts) => {
      const at = [0, ...cuts.sort(), 5];
      const messages = at.slice(1).map((end, i) => records.slice(at[i], end));
      assert.equal(owners(run(messages, { zone: undefined, origin: held.origin })), 'AXFR 5 abc');
    }),
  );
});

test('IXFR: one difference, several, and the whole zone instead', () => {
  assert.equal(owners(run([[soa(2), soa(1), a, soa(2), c, soa(2)]])), 'IXFR 2 bc');
  assert.equal(
    owners(
      run([
        [soa(3), soa(1), a],
        [soa(2), c, soa(2), b],
        [soa(3), a, soa(3)],
      ]),
    ),
    'IXFR 3 ac',
  );
  assert.equal(owners(run([[soa(3), a, c, soa(3)]])), 'AXFR 3 ac');
  assert.equal(owners(run([[soa(2), soa(2)]])), 'AXFR 2 ');
});

test('IXFR with nothing new is one SOA', () => {
  assert.deepEqual(run([[soa(1)]]), { name: 'done', result: 'current' });
  assert.equal(run([[soa(2)]]).name, 'first', 'a newer SOA alone is the beginning of more');
});

test('the zone that is held does not change, whatever comes', () => {
  const before = [...recordsOf(held)];
  assert.throws(() => run([[soa(2), soa(1), a, c]]), /to delete is not there/);
  assert.deepEqual([...recordsOf(held)], before);
});

test('sequences that are none', () => {
  assert.throws(() => run([[a]]), /does not start with the SOA/);
  assert.throws(() => run([[soa(2), a, soa(3)]]), /the two SOAs differ/);
  assert.throws(() => run([[soa(3), soa(1), a, soa(2), c, soa(3)]]), /do not join/);
  assert.throws(() => run([[soa(3), soa(1), a, soa(1)]]), /goes back/);
  assert.throws(() => run([[soa(2), a, soa(2), b]]), /behind the end/);
  assert.throws(() => run([[soa(2), record('x.elsewhere', 'A', '1.2.3.4'), soa(2)]]), /outside of the zone/);
});

test('a difference between any two zones leads from one to the other', () => {
  const pool = Array.from({ length: 8 }, (_, i) => record(`${'abcdefgh'[i]}.corp`, 'A', `10.0.0.${i}`));
  const subset = fc.subarray(pool);
  fc.assert(
    fc.property(subset, subset, (old, next) => {
      const zone = zoneOf('corp', 1, old);
      const gone = old.filter((each) => !next.includes(each));
      const fresh = next.filter((each) => !old.includes(each));
      const state = run([[soa(2), soa(1), ...gone, soa(2), ...fresh, soa(2)]], { zone, origin: zone.origin });
      const expected = next
        .map(({ owner }) => owner[1])
        .sort()
        .join('');
      assert.equal(owners(state), `IXFR 2 ${expected}`);
    }),
  );
});
