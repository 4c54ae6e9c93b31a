import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsOf } from './bars.ts';
import type { Sample } from './measure.ts';
import { arrived, nextRate } from './packets.ts';
import { type ComparisonRecord, summarize, summaryOf, together } from './record.ts';
import { asMarkdown, tables } from './report.ts';
import { names } from './subjects.ts';

const record = (samples: Readonly<Record<string, readonly Sample[]>>, processor = 'a'): ComparisonRecord => ({
  kind: 'comparison',
  takenAt: '2026-11-22T00:00:00Z',
  commit: 'abc',
  machine: { processor, cores: 2, memoryGb: 24, kernel: '6' },
  effort: 'thorough',
  subjects: Object.entries(samples).map(([name, list]) => ({ name, carries: name, samples: list })),
});

const found = (samples: Readonly<Record<string, readonly Sample[]>>, title: RegExp) => {
  const bar = barsOf(summarize(record(samples))).find((one) => title.test(one.title));
  assert.ok(bar);
  return bar;
};

test('a flow counts as free of loss below 0.5 % and 100 ms', () => {
  const delayUs = { p50: 1, p99: 2, max: 100_000 };
  const flow = { sent: 1000, refused: 0, lost: 4, delayUs };
  assert.ok(arrived(flow));
  assert.ok(!arrived({ ...flow, lost: 5 }));
  assert.ok(!arrived({ ...flow, refused: 1 }));
  assert.ok(!arrived({ ...flow, delayUs: { ...delayUs, max: 100_001 } }));
});

test('the search doubles back between what worked and what failed, whichever came first', () => {
  assert.equal(nextRate(100, Number.POSITIVE_INFINITY, 1.5), 150);
  assert.equal(nextRate(0, 100, 2), 50);
  assert.equal(nextRate(100, 400, 1.1), 200);
});

test('two rounds: the median lies between them', () => {
  assert.deepEqual(summaryOf([4, 1]), { median: 2.5, lowest: 1, highest: 4, rounds: 2 });
  assert.equal(summaryOf([4, 1, 2]).median, 2);
});

test('rounds of several runs are those of one, and medians and spread are theirs', () => {
  const merged = together([record({ moat: [{ tcp1Up: 1 }] }), record({ moat: [{ tcp1Up: 5 }, { tcp1Up: 3 }], x: [] })]);
  assert.deepEqual(summarize(merged).get('moat')?.tcp1Up, { median: 3, lowest: 1, highest: 5, rounds: 3 });
  assert.throws(() => together([record({}), record({}, 'b')]), /different machines/);
  assert.throws(() => together([]), /no records/);
});

test('a bar is judged by the worse direction, and says so when it was not measured', () => {
  const peers = { [names.strongswan]: [{ tcp1Up: 1, tcp1Down: 1 }] };
  const against = (up: number, down: number) =>
    found({ [names.moat]: [{ tcp1Up: up, tcp1Down: down }], ...peers }, /to strongSwan/);
  assert.deepEqual([against(6, 5.8).passes, against(6, 5.7).passes], [true, false]);
  assert.equal(against(6, 5.7).found, '6.00 up, 5.70 down');
  assert.equal(found(peers, /to strongSwan/).found, undefined);
});

test('packets and round trips are compared with the best peer, not with plain forwarding', () => {
  const all = {
    [names.plain]: [{ udp64: 500, rttIdleP50: 10 }],
    [names.moat]: [{ udp64: 250, rttIdleP50: 100 }],
    [names.nebula]: [{ udp64: 100, rttIdleP50: 150 }],
    [names.fastd]: [{ udp64: 90, rttIdleP50: 99 }],
  };
  const packets = found(all, /^UDP/);
  assert.deepEqual([packets.found, packets.passes], ['2.50', true]);
  assert.match(packets.title, /nebula/);
  const trip = found(all, /^round trip added/);
  assert.deepEqual([trip.found, trip.wanted, trip.passes], ['90', 'below 89', false]);
});

test('a table has a column only for what was measured', () => {
  const [tcp, ...others] = tables(summarize(record({ moat: [{ tcp1Up: 1 }, { tcp1Up: 2 }], x: [{}] })));
  assert.deepEqual(others, []);
  assert.ok(tcp);
  assert.deepEqual(asMarkdown(tcp).split('\n').slice(2), ['| moat | 1.50 (1.00-2.00) |', '| x | - |']);
});
