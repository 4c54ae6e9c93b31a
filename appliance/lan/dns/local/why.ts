import type { Way } from '../forward/state.ts';
import { nameFromText } from '../wire/name.ts';
import { Type } from '../wire/numbers.ts';
import { txtRdata } from '../wire/rdata.ts';
import type { Zone } from '../zone/zone.ts';
import { ownZone } from './own-zone.ts';

/** What the supervisor writes for us: one sentence for a person, and which ways are closed. */
export interface Status {
  readonly sentence: string;
  readonly wan: 'up' | 'down' | 'unknown';
  readonly tunnel: 'up' | 'down' | 'unknown';
}

export const unknownStatus: Status = {
  sentence: 'The box does not know yet how its connections are doing.',
  wan: 'unknown',
  tunnel: 'unknown',
};

/** Anything that is not of that form counts as not known: the status is help, never a reason to fail. */
export function parseStatus(value: unknown): Status {
  if (typeof value !== 'object' || value === null) return unknownStatus;
  const { sentence, wan, tunnel } = value as Record<string, unknown>;
  if (typeof sentence !== 'string') return unknownStatus;
  return { sentence: sentence.slice(0, 1000), wan: wayState(wan), tunnel: wayState(tunnel) };
}

function wayState(value: unknown): 'up' | 'down' | 'unknown' {
  return value === 'up' || value === 'down' ? value : 'unknown';
}

/** Why a way is closed, if it is known to be. The tunnel needs the internet. */
export function closedWay(status: Status, way: Way): string | undefined {
  const down = status.wan === 'down' || (way === 'tunnel' && status.tunnel === 'down');
  return down ? status.sentence : undefined;
}

/** `why.moat`: one sentence, fresh each time. */
export function whyZone(status: Status): Zone {
  const origin = nameFromText('moat');
  const text = { owner: nameFromText('why.moat'), type: Type.TXT, rdata: txtRdata(status.sentence) };
  return ownZone(origin, 0, [text]);
}
