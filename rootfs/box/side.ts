/** Which of the two images runs: that of a home or that of a portal. */
import { readText } from './disk.ts';
import type { Side } from './seed.ts';

/** The name of a board is what updates compare: no portal takes an update of a box, and no box that of a portal. */
export function sideOf(board: string): Side {
  return board.endsWith('-portal') ? 'portal' : 'home';
}

export function runningSide(): Side {
  const { board = '' } = JSON.parse(readText('/usr/lib/moat/release.json') ?? '{}') as { board?: string };
  return sideOf(board);
}
