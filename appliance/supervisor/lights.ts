/**
 * What a light on the box says. One light is enough: it burns steadily while all is well, and how it blinks tells the rest. Pure, but
 * for `showLights`, which writes the kernel's files.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApplianceStatus } from './status.ts';
import type { Wan } from './wan.ts';

/** Milliseconds on and off; `off: 0` burns, `on: 0` is dark. */
export interface Pattern {
  readonly name: 'works' | 'starting' | 'calling' | 'trial' | 'outside' | 'trouble';
  readonly onMs: number;
  readonly offMs: number;
}

const patterns = {
  works: { onMs: 1, offMs: 0 },
  /** Even and quick: wait. */
  starting: { onMs: 100, offMs: 100 },
  /** Even and slow: it is calling. */
  calling: { onMs: 500, offMs: 500 },
  /** Nearly always on: it works, under a configuration that is still on trial. */
  trial: { onMs: 1800, offMs: 200 },
  /** A short flash every two seconds: look at the cable to the internet and at what it is plugged into. */
  outside: { onMs: 100, offMs: 1900 },
  /** Mostly on, with short gaps in quick order: ask `moat doctor`. */
  trouble: { onMs: 300, offMs: 100 },
} as const;

export function patternOf(status: ApplianceStatus, wan: Wan['state']): Pattern {
  const name = patternName(status, wan);
  return { name, ...patterns[name] };
}

function patternName({ tunnel, configuration, state, problems }: ApplianceStatus, wan: Wan['state']): Pattern['name'] {
  if (wan === 'down') return 'outside';
  if (tunnel?.state === 'up' && problems.length === 0) return configuration.state === 'settled' ? 'works' : 'trial';
  if (problems.length > 0) return 'trouble';
  if (tunnel === null) return 'starting';
  return state === 'connecting' ? 'calling' : 'trouble';
}

/** The light that is most likely meant for it, by its name as kernels give them (`green:status`, `ACT`, `led0`). */
export function chooseLight(names: readonly string[]): string | null {
  const wishes = [/status|sys$/i, /power|pwr/i, /^(ACT|led0)$/i];
  const sorted = names.toSorted();
  return wishes.map((wish) => sorted.find((name) => wish.test(name))).find((name) => name !== undefined) ?? null;
}

/** Files below /sys/class/leds/NAME for a pattern, in the order in which they are written. */
function lightFiles({ onMs, offMs }: Pattern): readonly (readonly [file: string, text: string])[] {
  if (offMs === 0)
    return [
      ['trigger', 'none'],
      ['brightness', '255'],
    ];
  return [
    ['trigger', 'timer'],
    ['delay_on', `${onMs}`],
    ['delay_off', `${offMs}`],
  ];
}

/** Shows one pattern; boxes without lights have nothing to show. */
export class Lights {
  readonly #folder: string;
  #shown = '';

  constructor(folder = '/sys/class/leds') {
    this.#folder = folder;
  }

  show(pattern: Pattern): void {
    if (pattern.name === this.#shown || !existsSync(this.#folder)) return;
    this.#shown = pattern.name;
    const light = chooseLight(readdirSync(this.#folder));
    if (light === null) return;
    try {
      for (const [file, text] of lightFiles(pattern)) writeFileSync(join(this.#folder, light, file), text);
    } catch {
      // A light without this trigger, or one that is somebody else's: nothing depends on it.
    }
  }
}
