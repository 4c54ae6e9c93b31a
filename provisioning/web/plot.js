/** A small plot over time: a line, and its range in words. */
import { h } from './dom.js';

const svg = 'http://www.w3.org/2000/svg';
const width = 300;
const height = 60;

/**
 * @param {string} title
 * @param {{ at: number, value: number }[]} points
 * @param {string} unit
 */
export function plot(title, points, unit) {
  const card = h('div', { class: 'card' }, h('h2', {}, title));
  if (points.length < 2) {
    card.append(h('p', { class: 'quiet' }, 'Not enough measurements yet.'));
    return card;
  }
  const values = points.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [from, to] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 1];
  const top = Math.max(most, 1);
  const drawing = document.createElementNS(svg, 'svg');
  const text = `${title}: ${least} to ${most} ${unit}, now ${values.at(-1)} ${unit}`;
  for (const [name, value] of [
    ['viewBox', `0 0 ${width} ${height}`],
    ['preserveAspectRatio', 'none'],
    ['class', 'plot'],
    ['role', 'img'],
    ['aria-label', text],
  ])
    drawing.setAttribute(name ?? '', value ?? '');
  const base = document.createElementNS(svg, 'line');
  for (const [name, value] of [
    ['x1', 0],
    ['x2', width],
    ['y1', height - 1],
    ['y2', height - 1],
  ])
    base.setAttribute(String(name), String(value));
  const line = document.createElementNS(svg, 'polyline');
  line.setAttribute(
    'points',
    points
      .map(
        ({ at, value }) =>
          `${(((at - from) / (to - from || 1)) * width).toFixed(1)},${(height - 3 - (value / top) * (height - 6)).toFixed(1)}`,
      )
      .join(' '),
  );
  drawing.append(base, line);
  card.append(drawing, h('p', { class: 'quiet' }, `${least} to ${most} ${unit}; now ${values.at(-1)} ${unit}`));
  return card;
}
