/** What a chrony makes of all samples of a source. Offset in seconds. */
export interface Estimate {
  readonly samples: number;
  readonly offset: number;
}

/** `chronyc -c sourcestats`, by source: `name,samples,runs,span,frequency,skew,offset,deviation`. */
function parseEstimates(text: string): Map<string, Estimate> {
  const lines = text.split('\n').map((line) => line.split(','));
  return new Map(
    lines.map(([name = '', samples, , , , , offset]) => [name, { samples: Number(samples), offset: Number(offset) }]),
  );
}

const enoughSamples = 6;

/**
 * Seconds between two sources as a client sees them, undefined while it has heard too little. Its estimates and not its last
 * samples: on a machine with other work the way of any one packet may take longer than clocks may differ.
 */
export function apart(sourcestats: string, one: string, other: string): number | undefined {
  const estimates = parseEstimates(sourcestats);
  const [a, b] = [estimates.get(one), estimates.get(other)];
  if (!a || !b || Math.min(a.samples, b.samples) < enoughSamples) return undefined;
  return Math.abs(a.offset - b.offset);
}
