import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barPanel } from './bar-panel.ts';
import { figure } from './figure.ts';
import { linePanel } from './line-panel.ts';
import { linear, logarithmic, niceTicks, ordinal } from './scale.ts';
import { text } from './svg.ts';

const pixels = { from: 100, to: 300 };

test('ticks are round, begin at 0 and end just above the largest value', () => {
  assert.deepEqual(niceTicks(413), [0, 100, 200, 300, 400, 500]);
  assert.deepEqual(niceTicks(20), [0, 5, 10, 15, 20]);
  assert.deepEqual(niceTicks(0.9), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(niceTicks(0), [0, 1]);
  for (let most = 0.003; most < 1e6; most *= 1.37) {
    const ticks = niceTicks(most);
    assert.ok((ticks.at(-1) ?? 0) >= most * 0.999 && (ticks.at(-1) ?? 0) <= most * 1.5, `${most}: ${ticks}`);
    assert.ok(ticks.length >= 4 && ticks.length <= 7, `${most}: ${ticks}`);
  }
});

test('a linear axis begins at zero, a logarithmic one spaces equal factors equally', () => {
  const plain = linear(10, pixels);
  assert.deepEqual([plain.at(0), plain.at(10)], [100, 300]);
  const log = logarithmic({ from: 1, to: 100 }, pixels);
  assert.deepEqual([log.at(1), log.at(10), log.at(100)].map(Math.round), [100, 200, 300]);
  assert.deepEqual([log.at(0), log.at(0.01)], [100, 100]);
  assert.deepEqual(
    log.ticks.map(({ label }) => label),
    ['1', '2', '5', '10', '20', '50', '100'],
  );
});

test('values without a measure between them are equally far apart, and others have no place', () => {
  const scale = ordinal([0, 0.1, 5], pixels);
  assert.deepEqual(
    [0, 0.1, 5].map((value) => scale.at(value)),
    [100, 200, 300],
  );
  assert.throws(() => scale.at(1), /no place/);
});

test('text cannot break out of the drawing', () => {
  assert.match(text(0, 0, 'a < b & "c"'), />a &lt; b &amp; &quot;c&quot;</);
});

test('bars are as long as their values, and what was not measured says so', () => {
  const bar = (value: number) => [{ value, lowest: value, highest: value }];
  const row = { color: '#000', bold: false };
  const rows = [
    { ...row, name: 'long', bars: bar(10) },
    { ...row, name: 'short', bars: bar(2.5) },
    { ...row, name: 'none', bars: [] },
  ];
  const svg = barPanel({ title: 't', subtitle: 's', rows, format: String }, 600);
  const [long, short] = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  assert.ok(long && short && Math.abs(long / short - 4) < 0.01, `${long} ${short}`);
  assert.match(svg, /not measured/);
});

test('a line has a corner for each point and a band only where repetitions differ', () => {
  const point = (x: number, spread: number) => ({ x, y: 5, lowest: 5 - spread, highest: 5 + spread });
  const draw = (spread: number) =>
    linePanel(
      {
        ...{ title: 't', subtitle: 's', xTitle: 'x', x: [1, 2, 3], y: 'linear' },
        series: [
          { style: { color: '#123456', width: 1 }, marks: true, points: [1, 2, 3].map((x) => point(x, spread)) },
        ],
      },
      400,
      200,
    );
  assert.equal(draw(0).match(/<circle/g)?.length, 3);
  assert.equal(draw(0).match(/<path/g)?.length, 1);
  assert.equal(draw(1).match(/<path/g)?.length, 2);
});

test('a figure is as high as its rows of panels and balances its elements', () => {
  const panel = { height: 100, draw: () => text(0, 10, 'panel') };
  const draw = (count: number) =>
    figure({ title: 'a', subtitle: 'b', footer: 'c', columns: 2, panels: Array.from({ length: count }, () => panel) });
  const height = (svg: string) => Number(/height="(\d+)"/.exec(svg)?.[1]);
  assert.equal(height(draw(2)), height(draw(1)));
  assert.equal(height(draw(3)) - height(draw(2)), 134);
  const svg = draw(3);
  assert.equal(svg.match(/<g /g)?.length, svg.match(/<\/g>/g)?.length);
});
