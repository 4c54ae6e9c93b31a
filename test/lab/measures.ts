/** What `ping` found out. Times in milliseconds. */
export interface PingResult {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  /** In the order the answers came. */
  readonly times: readonly number[];
  readonly median: number;
  readonly p99: number;
  /** Sequence numbers of the answers in the order they came. */
  readonly order: readonly number[];
  /** What the kernel or a router said instead of an answer. */
  readonly errors: readonly string[];
  readonly ttl: number;
}

export function parsePing(output: string): PingResult {
  const replies = [...output.matchAll(/icmp_seq=(\d+) ttl=(\d+) time=([\d.]+) ms( \(DUP!\))?/g)];
  const firsts = replies.filter((reply) => !reply[4]);
  const times = firsts.map((reply) => Number(reply[3]));
  const totals = /(\d+) packets transmitted, (\d+) received/.exec(output);
  return {
    sent: Number(totals?.[1] ?? 0),
    received: Number(totals?.[2] ?? 0),
    duplicates: replies.length - firsts.length,
    times,
    median: median(times),
    p99: quantile(times, 0.99),
    order: firsts.map((reply) => Number(reply[1])),
    errors: output.split('\n').filter((line) => /^From |local error|[Uu]nreachable/.test(line)),
    ttl: Number(replies[0]?.[2] ?? 0),
  };
}

/** NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Of an even number the mean of the two in the middle: with two rounds neither is the better one. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/**
 * Whether `hits` of `trials` is what `probability` gives, within `deviations` standard deviations of the binomial.
 * Four deviations: an honest run fails once in sixteen thousand.
 */
export function isBinomial(hits: number, trials: number, probability: number, deviations = 4): boolean {
  const expected = trials * probability;
  const deviation = Math.sqrt(trials * probability * (1 - probability));
  return Math.abs(hits - expected) <= deviations * deviation;
}

const scaled = (value: number, units: readonly string[]): string => {
  let unit = 0;
  let rest = value;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  const digits = rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[unit]}`;
};

export const formatRate = (bitsPerSecond: number): string =>
  scaled(bitsPerSecond, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);
export const formatMs = (milliseconds: number): string =>
  Number.isNaN(milliseconds)
    ? '-'
    : milliseconds < 1
      ? `${Math.round(milliseconds * 1000)} us`
      : `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`;
export const formatShare = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
