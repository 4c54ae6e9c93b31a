import { linear, logarithmic, ordinal, type Scale } from './scale.ts';
import type { Style } from './subject-style.ts';
import { type Corner, element, line, path, type Svg, text, theme } from './svg.ts';

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** The spread over repetitions. */
  readonly lowest: number;
  readonly highest: number;
}

export interface LineSeries {
  readonly style: Style;
  readonly points: readonly LinePoint[];
  /** Without: a curve through so many points that marks would hide it. */
  readonly marks: boolean;
}

export interface LinePanel {
  readonly title: string;
  readonly subtitle: string;
  readonly xTitle: string;
  /** Values each with a place of their own, or a logarithmic axis. */
  readonly x: readonly number[] | 'logarithmic';
  readonly y: 'linear' | 'logarithmic';
  /** Nothing below is shown on a logarithmic axis. */
  readonly least?: number;
  readonly series: readonly LineSeries[];
}

const head = 50;
const foot = 44;
const left = 46;

/** Lines with bands of their spread. The first series is drawn last, on top. */
export function linePanel(panel: LinePanel, width: number, height: number): Svg {
  const points = panel.series.flatMap((series) => series.points);
  const x = xScale(panel, points, { from: left + 8, to: width - 14 });
  const y = yScale(panel, points, { from: height - foot, to: head });
  const series = [...panel.series].reverse();
  return [
    text(0, 16, panel.title, { size: 15, weight: 650 }),
    text(0, 34, panel.subtitle, { size: 12, fill: theme.muted }),
    ...y.ticks.map(({ value, label }) => {
      const at = y.at(value);
      const words = text(left - 6, at + 4, label, { size: 11, fill: theme.muted, anchor: 'end' });
      return line([left, at], [width, at], theme.grid) + words;
    }),
    line([left, height - foot], [width, height - foot], theme.axis),
    ...x.ticks.map(({ value, label }) => {
      const at = x.at(value);
      const words = text(at, height - foot + 18, label, { size: 11, fill: theme.muted, anchor: 'middle' });
      return line([at, height - foot], [at, height - foot + 4], theme.axis) + words;
    }),
    text((left + width) / 2, height - 6, panel.xTitle, { size: 12, fill: theme.muted, anchor: 'middle' }),
    ...series.map((one) => band(one, x, y)),
    ...series.map((one) => curve(one, x, y)),
  ].join('');
}

type Pixels = { readonly from: number; readonly to: number };

function xScale({ x }: LinePanel, points: readonly LinePoint[], pixels: Pixels): Scale {
  if (x !== 'logarithmic') return ordinal(x, pixels);
  const values = points.map((point) => point.x);
  return logarithmic({ from: Math.min(...values), to: Math.max(...values) }, pixels);
}

function yScale({ y, least = 0 }: LinePanel, points: readonly LinePoint[], pixels: Pixels): Scale {
  const most = Math.max(...points.map(({ highest }) => highest));
  if (y === 'linear') return linear(Math.max(most, least), pixels);
  const positive = points.map(({ lowest }) => lowest).filter((value) => value > 0);
  return logarithmic({ from: Math.max(least, Math.min(...positive, most)), to: most }, pixels);
}

function band({ points, style }: LineSeries, x: Scale, y: Scale): Svg {
  if (!points.some(({ lowest, highest }) => highest > lowest)) return '';
  const upper = points.map((point): Corner => [x.at(point.x), y.at(point.highest)]);
  const lower = points.map((point): Corner => [x.at(point.x), y.at(point.lowest)]).reverse();
  return element('path', { d: path([...upper, ...lower], true), fill: style.color, 'fill-opacity': 0.12 });
}

function curve({ points, style, marks }: LineSeries, x: Scale, y: Scale): Svg {
  const corners = points.map((point): Corner => [x.at(point.x), y.at(point.y)]);
  const stroke = element('path', {
    d: path(corners),
    fill: 'none',
    stroke: style.color,
    'stroke-width': style.width,
    'stroke-dasharray': style.dash,
    'stroke-linejoin': 'round',
    'stroke-linecap': 'round',
  });
  if (!marks) return stroke;
  const radius = style.width > 2 ? 4 : 3;
  const mark = ([cx, cy]: Corner) =>
    element('circle', { cx, cy, r: radius, fill: style.color, stroke: theme.paper, 'stroke-width': 1.2 });
  return stroke + corners.map(mark).join('');
}
