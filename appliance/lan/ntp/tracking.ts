/** What `chronyc -c tracking` says (chronyc(1)); seconds throughout. */
export interface Tracking {
  /** The source that the clock follows; empty when there is none. */
  readonly source: string;
  readonly stratum: number;
  /** How far the system clock is from what chronyd believes: positive = it is slow. */
  readonly systemOffset: number;
  readonly rootDelay: number;
  readonly rootDispersion: number;
  readonly leap: string;
}

/** One line of `chronyc -c sources`. */
export interface Source {
  readonly name: string;
  /** `selected` is followed, `combined` helps; `falseticker` disagrees with the others. */
  readonly state: 'selected' | 'combined' | 'notCombined' | 'unreachable' | 'falseticker' | 'variable';
  readonly stratum: number;
  /** The last eight polls, a bit each. */
  readonly reach: number;
  /** Seconds. */
  readonly offset: number;
}

const sourceStates: Readonly<Record<string, Source['state']>> = {
  '*': 'selected',
  '+': 'combined',
  '-': 'notCombined',
  '?': 'unreachable',
  x: 'falseticker',
  '~': 'variable',
};

/** `undefined` when the text is not what chronyc prints. */
export function parseTracking(csv: string): Tracking | undefined {
  const fields = csv.trim().split('\n')[0]?.split(',') ?? [];
  if (fields.length !== 14) return undefined;
  const [, source = '', stratum, , systemOffset, , , , , , rootDelay, rootDispersion, , leap = ''] = fields;
  const numbers = [stratum, systemOffset, rootDelay, rootDispersion].map(Number);
  if (numbers.some(Number.isNaN)) return undefined;
  const [tracked = 0, offset = 0, delay = 0, dispersion = 0] = numbers;
  return { source, stratum: tracked, systemOffset: offset, rootDelay: delay, rootDispersion: dispersion, leap };
}

/** Lines that are not of the form are left out. */
export function parseSources(csv: string): Source[] {
  return csv.split('\n').flatMap((line) => {
    const fields = line.split(',');
    const state = sourceStates[fields[1] ?? ''];
    if (fields.length !== 10 || state === undefined) return [];
    const [, , name = '', stratum, , reach, , offset] = fields;
    return [{ name, state, stratum: Number(stratum), reach: Number.parseInt(reach ?? '0', 8), offset: Number(offset) }];
  });
}

/** How the house's clock is doing, in one sentence for a person. */
export function clockSentence(
  tracking: Tracking | undefined,
  sources: readonly Source[],
  localStratum: number,
): string {
  if (!tracking) return 'The clock service does not answer.';
  if (sources.some(({ state }) => state === 'selected')) {
    return `The clock follows ${tracking.source} (stratum ${tracking.stratum}).`;
  }
  const heard = sources.some(({ reach }) => reach !== 0);
  if (tracking.stratum === localStratum) {
    return heard
      ? 'The clock sources answer but are not agreed on yet.'
      : 'No clock source is reachable: the box goes on by its own clock.';
  }
  return heard
    ? 'The clock is being compared with its sources.'
    : 'No clock source is reachable; the last good time is kept.';
}
