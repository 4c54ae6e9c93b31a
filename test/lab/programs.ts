import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must } from './processes.ts';

const outFolder = fileURLToPath(new URL('../../.build/lab/', import.meta.url));

/** Builds one of the lab's C++ programs (folder of the same name) unless it is fresh; who comes second waits. */
export async function build(name: 'impair' | 'udpflow' | 'initflood'): Promise<string> {
  const folder = fileURLToPath(new URL(`${name}/`, import.meta.url));
  mkdirSync(outFolder, { recursive: true });
  await must(['flock', `${folder}Makefile`, 'make', '-s', '-C', folder], { timeout: 300_000 });
  return `${outFolder}${name}`;
}
