import { writeFileSync } from 'node:fs';
import { must } from '../../lab/processes.ts';
import type { Svg } from './svg.ts';

/** Pixels of the PNG for each of the SVG: sharp on a dense screen. */
const zoom = 1.5;

/** Writes NAME.svg and NAME.png. @throws {Error} when rsvg-convert is missing or refuses. */
export async function writeDrawing(pathWithoutEnding: string, svg: Svg): Promise<void> {
  writeFileSync(`${pathWithoutEnding}.svg`, svg);
  await must(['rsvg-convert', '--zoom', `${zoom}`, '--output', `${pathWithoutEnding}.png`, `${pathWithoutEnding}.svg`]);
}
