/** Pieces of SVG as text. Coordinates in pixels, the origin in the upper left corner. */
export type Svg = string;

type Attributes = Readonly<Record<string, string | number | undefined>>;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const shown = (value: string | number) => (typeof value === 'number' ? `${Number(value.toFixed(2))}` : escaped(value));

export function element(name: string, attributes: Attributes, inside: Svg = ''): Svg {
  const list = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${shown(value)}"`],
  );
  return `<${name}${list.join('')}${inside === '' ? '/>' : `>${inside}</${name}>`}`;
}

export interface TextStyle {
  readonly size?: number;
  readonly weight?: number;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

/** `y` is the line that letters stand on. */
export function text(x: number, y: number, words: string, style: TextStyle = {}): Svg {
  const { size = 13, weight, fill = theme.text, anchor } = style;
  const attributes = { x, y, 'font-size': size, 'font-weight': weight, fill, 'text-anchor': anchor };
  return element('text', attributes, escaped(words));
}

export type Corner = readonly [x: number, y: number];

/** A pixel wide unless told. */
export interface Stroke {
  readonly color: string;
  readonly width?: number;
  readonly dash?: string;
}

export function line([x1, y1]: Corner, [x2, y2]: Corner, { color: stroke, width = 1, dash }: Stroke): Svg {
  return element('line', { x1, y1, x2, y2, stroke, 'stroke-width': width, 'stroke-dasharray': dash });
}

export const path = (corners: readonly Corner[], closed = false): string =>
  `M${corners.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join('L')}${closed ? 'Z' : ''}`;

export const moved = (x: number, y: number, inside: Svg): Svg =>
  element('g', { transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})` }, inside);

export const theme = {
  text: '#1b2733',
  muted: '#5f6f7f',
  grid: { color: '#e4e9ee' },
  axis: { color: '#b4bfca' },
  paper: '#ffffff',
} as const;

/** A whole drawing on paper. `label` is what a reader who cannot see it is told. */
export function drawing(width: number, height: number, label: string, inside: Svg): Svg {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-label': label,
    'font-family': "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
  };
  const paper = element('rect', { width, height, fill: theme.paper });
  return `${element('svg', attributes, paper + inside)}\n`;
}
