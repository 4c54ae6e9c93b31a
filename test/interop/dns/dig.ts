import { writeFileSync } from 'node:fs';
import type { World } from './world.ts';

/** What one answer says: status, and each section's records as sorted lines with the owner in lower case. */
export interface Dug {
  readonly question: string;
  readonly status: string;
  readonly flags: string;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly ede: string;
}

let files = 0;

/** Asks one server many questions (`name type` each) from the PC, one after the other. */
export async function digAll(
  world: World,
  server: string,
  questions: readonly string[],
  flags = '+norecurse',
): Promise<Dug[]> {
  files += 1;
  const file = `dig-${files}.batch`;
  writeFileSync(`${world.folder}/${file}`, questions.map((question) => `${question}\n`).join(''));
  const options = ['+nocmd', '+tries=2', '+time=2', '+noshowbadcookie', '+nocookie', ...flags.split(' ')];
  const text = await world.must('pc', ['dig', `@${server}`, ...options, '-f', `${world.inside}/${file}`], 120_000);
  return text
    .split(/^;; Got answer:$/m)
    .slice(1)
    .map(parse);
}

export async function dig(world: World, server: string, question: string, flags = '+recurse'): Promise<Dug> {
  const [dug] = await digAll(world, server, [question], flags);
  if (!dug) throw new Error(`${server} did not answer ${question}`);
  return dug;
}

function parse(text: string): Dug {
  return {
    question: /^;(\S+\s+IN\s+\S+)$/m.exec(text)?.[1]?.replace(/\s+/g, ' ') ?? '',
    status: /status: (\w+)/.exec(text)?.[1] ?? '',
    flags: /flags: ([\w ]*);/.exec(text)?.[1] ?? '',
    answer: section(text, 'ANSWER'),
    authority: section(text, 'AUTHORITY'),
    additional: section(text, 'ADDITIONAL'),
    ede: /^; EDE: (.*)$/m.exec(text)?.[1] ?? '',
  };
}

function section(text: string, name: string): string[] {
  const body = new RegExp(`^;; ${name} SECTION:\n((?:[^;\n].*\n)*)`, 'm').exec(text)?.[1] ?? '';
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\s+/g, ' ').replace(/^\S+/, (owner) => owner.toLowerCase()))
    .sort();
}
