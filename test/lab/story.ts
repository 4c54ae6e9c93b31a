import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { inspect } from 'node:util';
import { LabError } from './requirements.ts';
import { World, type WorldOptions } from './world.ts';

/** One thing that must be true: runs, and says what it measured. */
export type Step = (title: string, action: () => Promise<string | undefined>) => Promise<void>;

export interface Stage {
  /** Builds a world that goes when the story ends. */
  world(options?: WorldOptions): Promise<World>;
  readonly step: Step;
}

/** A story is a file in stories/ that exports one of these as `story`. */
export interface Story {
  readonly name: string;
  readonly summary: string;
  run(stage: Stage): Promise<void>;
}

const folder = new URL('stories/', import.meta.url);

/** What the others stand on. */
const first = ['plain', 'servers', 'peers', 'tunnel'];

/** All stories: first those that the others stand on, then by name. */
export async function loadStories(): Promise<Story[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const modules = await Promise.all(
    files.sort().map((name) => import(new URL(name, folder).href) as Promise<{ story: Story }>),
  );
  const stories = modules.map((module) => module.story);
  const rank = ({ name }: Story) => (first.includes(name) ? first.indexOf(name) : first.length);
  return stories.toSorted((a, b) => rank(a) - rank(b));
}

export type Print = (line: string) => void;

/** Plays a story; each step prints one line. False at the first that fails, with where to look. */
export async function play(story: Story, print: Print): Promise<boolean> {
  const worlds: World[] = [];
  const step: Step = async (title, action) => {
    const began = performance.now();
    try {
      const measured = await action();
      print(`  ok    ${title}${measured ? `  ${measured}` : ''}`);
    } catch (error) {
      if (error instanceof StepFailed || error instanceof LabError) throw error;
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      print(`  FAIL  ${title}  after ${seconds} s`);
      print(indent(error instanceof Error ? error.message : String(error)));
      throw new StepFailed(title);
    }
  };
  const world = async (options: WorldOptions = {}) => {
    const built = await World.up({ name: story.name, ...options });
    worlds.push(built);
    return built;
  };
  print(`${story.name}: ${story.summary}`);
  try {
    await story.run({ world, step });
    return true;
  } catch (error) {
    if (error instanceof LabError) throw error;
    if (!(error instanceof StepFailed))
      print(indent(error instanceof Error ? (error.stack ?? error.message) : String(error)));
    for (const { runDirectory } of worlds) print(`        logs and captures: ${relative(process.cwd(), runDirectory)}`);
    return false;
  } finally {
    await Promise.all(worlds.map((built) => built.down()));
  }
}

class StepFailed extends Error {}

const indent = (text: string) => text.replace(/^/gm, '        ');

/** @throws {Error} that says both values unless `holds`. */
export function expect(holds: boolean, expected: string, actual: unknown): void {
  if (!holds) throw new Error(`expected ${expected}\nactual   ${typeof actual === 'string' ? actual : show(actual)}`);
}

const show = (value: unknown) => inspect(value, { depth: 5, maxArrayLength: 8, breakLength: 110 });
