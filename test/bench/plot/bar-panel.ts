import { element, line, moved, type Svg, text, theme } from './svg.ts';

export interface Bar {
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
}

export interface BarRow {
  readonly name: string;
  readonly color: string;
  readonly bold: boolean;
  /** One below the other; the second and later ones are paler. Empty when nothing was measured. */
  readonly bars: readonly Bar[];
}

export interface BarPanel {
  readonly title: string;
  /** In grey behind the title: unit, and what the bars of a row are. */
  readonly subtitle: string;
  readonly rows: readonly BarRow[];
  readonly format: (value: number) => string;
}

type At = (value: number) => number;

const head = 46;
const rowHeight = 27;
const nameWidth = 192;
/** For the number behind the longest bar. */
const numberWidth = 46;

export const barPanelHeight = (rows: number): number => head + rows * rowHeight + 8;

/** Horizontal bars with their spread, a row for each name. */
export function barPanel(panel: BarPanel, width: number): Svg {
  const all = panel.rows.flatMap(({ bars }) => bars);
  const pixels = { from: nameWidth, to: width - numberWidth };
  const most = Math.max(...all.map(({ highest }) => highest));
  // The longest bar takes the whole width: numbers stand beside, so no ticks are needed.
  const at = (value: number) => pixels.from + (value / (most || 1)) * (pixels.to - pixels.from);
  const rows = panel.rows.map((row, index) => moved(0, head + index * rowHeight, barRow(row, at, panel)));
  return [
    text(0, 16, panel.title, { size: 15, weight: 650 }),
    text(0, 34, panel.subtitle, { size: 12, fill: theme.muted }),
    line([nameWidth, head - 2], [nameWidth, head + panel.rows.length * rowHeight], theme.axis),
    ...rows,
  ].join('');
}

function barRow({ name, color, bold, bars }: BarRow, at: At, { format }: BarPanel): Svg {
  const label = text(nameWidth - 10, rowHeight / 2 + 4.5, name, {
    anchor: 'end',
    size: 12.5,
    ...(bold && { weight: 650 }),
  });
  if (bars.length === 0)
    return label + text(nameWidth + 6, rowHeight / 2 + 4.5, 'not measured', { size: 12, fill: theme.muted });
  const thickness = bars.length > 1 ? 9 : 15;
  const gap = bars.length > 1 ? 2 : 0;
  const top = (rowHeight - bars.length * thickness - (bars.length - 1) * gap) / 2;
  const pieces = bars.map((bar, index) => {
    const y = top + index * (thickness + gap);
    const size = bars.length > 1 ? 10.5 : 12;
    const end = Math.max(at(bar.value), at(bar.highest));
    return [
      element('rect', {
        x: nameWidth,
        y,
        width: Math.max(1, at(bar.value) - nameWidth),
        height: thickness,
        rx: 2,
        fill: color,
        'fill-opacity': index === 0 ? undefined : 0.6,
      }),
      whisker(bar, at, y + thickness / 2),
      text(end + 6, y + thickness / 2 + size * 0.36, format(bar.value), { size, ...(bold && { weight: 650 }) }),
    ].join('');
  });
  return label + pieces.join('');
}

function whisker({ lowest, highest }: Bar, at: At, y: number): Svg {
  const [from, to] = [at(lowest), at(highest)];
  if (to - from < 2) return '';
  const stroke = { color: theme.text, width: 1.2 };
  const end = (x: number) => line([x, y - 2.5], [x, y + 2.5], stroke);
  return line([from, y], [to, y], stroke) + end(from) + end(to);
}
