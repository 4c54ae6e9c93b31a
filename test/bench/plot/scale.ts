/** From values to pixels. */
export interface Scale {
  at(value: number): number;
  /** Where a reader wants a line, with its words. */
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

const niceSteps = [1, 2, 2.5, 5];

/** Four to seven round values from 0, the last of them as little above `most` as such steps allow. */
export function niceTicks(most: number): number[] {
  if (!(most > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most));
  const steps = [power / 10, power].flatMap((unit) => niceSteps.map((nice) => nice * unit));
  const choices = steps
    .map((step) => ({ step, count: Math.ceil((most / step) * 0.9999) }))
    .filter(({ count }) => count >= 3 && count <= 6)
    .sort((a, b) => a.step * a.count - b.step * b.count || a.count - b.count);
  const { step, count } = choices[0] ?? { step: most, count: 1 };
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

/** From 0. */
export function linear(most: number, pixels: Range): Scale {
  const ticks = niceTicks(most);
  const top = ticks.at(-1) ?? 1;
  return {
    at: (value) => pixels.from + (value / top) * (pixels.to - pixels.from),
    ticks: ticks.map((value) => ({ value, label: labelOf(value) })),
  };
}

/** Between values of 1, 2 or 5 times a power of ten; what is not positive lies at the lower end. */
export function logarithmic(values: Range, pixels: Range): Scale {
  const round = [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((nice) => nice * 10 ** power));
  const low = round.findLast((value) => value <= values.from * 1.0001) ?? 1e-4;
  const high = round.find((value) => value >= values.to * 0.9999 && value > low) ?? 1e7;
  const share = (value: number) => Math.log(value / low) / Math.log(high / low);
  const inside = round.filter((value) => value >= low && value <= high);
  // Beyond three powers of ten their own lines are enough.
  const ticks = high / low > 1000 ? inside.filter((value) => Number.isInteger(Math.log10(value))) : inside;
  return {
    at: (value) => pixels.from + Math.max(0, value > 0 ? share(value) : 0) * (pixels.to - pixels.from),
    ticks: ticks.map((value) => ({ value, label: labelOf(value) })),
  };
}

/** A place for each of some values, as far apart as the others. @throws {Error} for a value that is not one of them. */
export function ordinal(values: readonly number[], pixels: Range): Scale {
  const step = values.length > 1 ? (pixels.to - pixels.from) / (values.length - 1) : 0;
  return {
    at(value) {
      const index = values.indexOf(value);
      if (index < 0) throw new Error(`${value} has no place on this axis`);
      return pixels.from + index * step;
    },
    ticks: values.map((value) => ({ value, label: labelOf(value) })),
  };
}

const labelOf = (value: number): string =>
  value >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : `${Number(value.toPrecision(4))}`;
