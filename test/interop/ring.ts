/** The steps of a ring: played in order, a line each; `--only`, `--list` and `--json` for those who call it. */
import { parseArgs } from 'node:util';

/** What a step measured: a sentence, and figures for those who compare. */
export type Measured = string | { readonly text: string; readonly figures: Readonly<Record<string, number>> };

export interface RingStep {
  readonly name: string;
  /** Steps that must have been played before; `--only` plays them too. */
  readonly needs?: readonly string[];
  /** @throws {Error} on anything that is not as it must be. */
  readonly play: () => Promise<Measured>;
}

export interface RingResult {
  readonly ring: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly steps: readonly {
    readonly name: string;
    readonly passed: boolean;
    readonly seconds: number;
    readonly text: string;
    readonly figures?: Readonly<Record<string, number>>;
  }[];
}

interface Wanted {
  readonly names: ReadonlySet<string>;
  readonly json: boolean;
}

/**
 * Reads `[STEP...] [--only STEP]... [--list] [--json]`. Ends the process after `--list`, and with code 2 when a step is not known.
 */
export function wantedSteps(ring: string, steps: readonly Pick<RingStep, 'name' | 'needs'>[]): Wanted {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const known = new Map(steps.map((step) => [step.name, step]));
  if (values.list) {
    console.log([...known.keys()].join('\n'));
    process.exit(0);
  }
  const chosen = [...positionals, ...values.only];
  const unknown = chosen.find((name) => !known.has(name));
  if (unknown !== undefined) {
    console.error(`${ring} has no step '${unknown}': ${[...known.keys()].join(', ')}`);
    process.exit(2);
  }
  const names = new Set<string>();
  const add = (name: string): void => {
    for (const needed of known.get(name)?.needs ?? []) add(needed);
    names.add(name);
  };
  for (const name of chosen.length > 0 ? chosen : known.keys()) add(name);
  return { names, json: values.json };
}

/**
 * Plays the wanted steps until one fails; sets the exit code. With `--json` stdout is one `RingResult` and the lines go to
 * stderr.
 */
export async function playSteps(ring: string, steps: readonly RingStep[], wanted: Wanted): Promise<void> {
  const print = wanted.json ? console.error : console.log;
  const began = performance.now();
  const seconds = (from: number) => (performance.now() - from) / 1000;
  const played: RingResult['steps'][number][] = [];
  for (const { name, play } of steps) {
    if (!wanted.names.has(name)) continue;
    const from = performance.now();
    try {
      const measured = await play();
      const result = typeof measured === 'string' ? { text: measured } : measured;
      played.push({ name, passed: true, seconds: seconds(from), ...result });
      print(`ok    ${name.padEnd(20)} ${seconds(from).toFixed(1).padStart(5)} s  ${result.text}`);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      played.push({ name, passed: false, seconds: seconds(from), text });
      print(`FAIL  ${name.padEnd(20)} ${seconds(from).toFixed(1).padStart(5)} s  ${text}`);
      process.exitCode = 1;
      break;
    }
  }
  const passed = played.every((step) => step.passed);
  if (passed) print(`${ring}: ${played.length} steps passed in ${seconds(began).toFixed(0)} s`);
  const result: RingResult = { ring, passed, seconds: seconds(began), steps: played };
  if (wanted.json) console.log(JSON.stringify(result));
}
