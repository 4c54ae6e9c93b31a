/**
 * Updates as the portal hands them out. Two files in the appliance's state say all there is to say, so that the program that speaks to
 * the portal and the one that writes slots need not know each other: `release.json`, what `GET /device/1/release` answered (written
 * whole by the supervisor), and `update.json`, what became of it, for `POST /device/1/status`.
 */
import { readText, writeFileSafely } from './disk.ts';

const folder = '/var/lib/moat/state/portal';
/** As the portal's own schema has it (provisioning/device-api/messages.ts). */
const longestProblem = 500;
const longestName = 63;

export interface Offer {
  readonly release: string;
  readonly url: string;
}

/** `downloading` until the update has proven itself, or has not. */
export interface UpdateState {
  readonly release: string;
  readonly state: 'downloading' | 'installed' | 'failed';
  readonly problem: string;
}

/** A release that failed is not tried again, whatever the portal says; one that was cut off is. */
export function isWanted(offered: Offer, last: UpdateState | null): boolean {
  return last?.release !== offered.release || last.state === 'downloading';
}

/** Null for a file that is missing or not one of ours. */
export function parseOffer(text: string | null): Offer | null {
  return text === null ? null : parsed(text, toOffer);
}

export function readOffer(): Offer | null {
  return parseOffer(readText(`${folder}/release.json`));
}

export function readUpdate(): UpdateState | null {
  const text = readText(`${folder}/update.json`);
  return text === null ? null : parsed(text, (value) => value as UpdateState);
}

export function writeUpdate({ release, state, problem }: UpdateState): void {
  const text = JSON.stringify({ release, state, problem: problem.slice(0, longestProblem) });
  writeFileSafely(`${folder}/update.json`, new Uint8Array(Buffer.from(text)));
}

/** The end of an update that the portal asked for; one that came by hand is nobody's business there. */
export function concludeUpdate(state: 'installed' | 'failed', problem: string): void {
  const last = readUpdate();
  if (last?.state === 'downloading') writeUpdate({ ...last, state, problem });
}

function toOffer(value: unknown): Offer | null {
  const { release, url } = value as Partial<Offer>;
  const isRight = typeof release === 'string' && release.length <= longestName && typeof url === 'string';
  return isRight && /^https?:\/\//.test(url) ? { release, url } : null;
}

function parsed<T>(text: string, read: (value: unknown) => T): T | null {
  try {
    return read(JSON.parse(text));
  } catch {
    return null;
  }
}
