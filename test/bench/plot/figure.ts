import type { Style } from './subject-style.ts';
import { drawing, line, moved, type Svg, text, theme } from './svg.ts';

export interface Panel {
  readonly height: number;
  draw(width: number): Svg;
}

export interface Figure {
  readonly title: string;
  readonly subtitle: string;
  /** The small print: where and when. */
  readonly footer: string;
  readonly columns: number;
  readonly panels: readonly Panel[];
  readonly legend?: readonly { readonly name: string; readonly style: Style }[];
}

const width = 1280;
const margin = 40;
const gutter = 44;

/** Panels in a grid under a title and, where colours need one, a legend. */
export function figure({ title, subtitle, footer, columns, panels, legend = [] }: Figure): Svg {
  const panelWidth = (width - 2 * margin - (columns - 1) * gutter) / columns;
  const keys = legend.length > 0 ? legendRow(legend) : '';
  const top = legend.length > 0 ? 138 : 104;
  const height = panels[0]?.height ?? 0;
  const rows = Math.ceil(panels.length / columns);
  const grid = panels.map((panel, index) => {
    const x = margin + (index % columns) * (panelWidth + gutter);
    return moved(x, top + Math.floor(index / columns) * (height + 34), panel.draw(panelWidth));
  });
  const bottom = top + rows * (height + 34);
  return drawing(
    width,
    bottom + 30,
    `${title}. ${subtitle}`,
    [
      text(margin, 48, title, { size: 24, weight: 700 }),
      text(margin, 74, subtitle, { size: 14, fill: theme.muted }),
      keys,
      ...grid,
      text(margin, bottom + 10, footer, { size: 11, fill: theme.muted }),
    ].join(''),
  );
}

/** Rough, for a face that nobody has measured here: wide enough. */
const widthOf = (words: string) => words.length * 7.1;

function legendRow(legend: readonly { readonly name: string; readonly style: Style }[]): Svg {
  let x = margin;
  const pieces = legend.map(({ name, style }) => {
    const at = x;
    x += 34 + widthOf(name) + 18;
    const bold = style.width > 2;
    return (
      line([at, 104], [at + 24, 104], style) + text(at + 31, 108.5, name, { size: 13, ...(bold && { weight: 650 }) })
    );
  });
  return pieces.join('');
}
