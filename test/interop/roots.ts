import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../lab/processes.ts';

/** A root directory with other people's programs, so that none of them has to be installed into the machine. */
export interface RootRecipe {
  readonly name: string;
  /** Debian's name of the release. */
  readonly suite: string;
  readonly packages: readonly string[];
}

const rootsDirectory = fileURLToPath(new URL('../../.build/roots/', import.meta.url));

/** Builds a root unless it is there; who comes second waits. Returns its path. */
export async function root(recipe: RootRecipe): Promise<string> {
  const path = join(rootsDirectory, recipe.name);
  if (existsSync(path)) return path;
  mkdirSync(rootsDirectory, { recursive: true });
  const fresh = `${path}.new-${process.pid}`;
  const build = [
    'mmdebstrap --quiet --variant=minbase',
    // Mirrors that are frozen at a date have outlived their own validity.
    `--aptopt='Acquire::Check-Valid-Until "false"'`,
    `--include=${recipe.packages.join(',')} ${recipe.suite} ${fresh} ${machineMirror()}`,
  ].join(' ');
  // Under the lock: the second in the queue finds the first one's work.
  const script = `test -d ${path} || { ${build} && mv -T ${fresh} ${path}; }`;
  try {
    await must(['flock', `${rootsDirectory}.lock`, 'sh', '-c', script], { timeout: 600_000 });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return path;
}

/** The Debian mirror of the machine's own apt sources. */
function machineMirror(folder = '/etc/apt'): string {
  const parts = existsSync(`${folder}/sources.list.d`) ? readdirSync(`${folder}/sources.list.d`) : [];
  const files = [`${folder}/sources.list`, ...parts.map((name) => `${folder}/sources.list.d/${name}`)];
  const text = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'));
  return mirrorIn(text.join('\n'));
}

/** The first address that ends in /debian. @throws {Error} when there is none. */
export function mirrorIn(sources: string): string {
  const lines = sources.split('\n').filter((line) => /^(URIs:|deb )/.test(line));
  const found = lines.join(' ').match(/https?:\/\/\S+\/debian\/?(?=\s|$)/);
  if (!found) throw new Error('apt has no Debian mirror to make a root directory from: see /etc/apt/sources.list');
  return found[0];
}

/** One Debian package of the machine's own release, unpacked aside: for a program that would start a service if it were installed. */
export async function unpacked(name: string): Promise<string> {
  const path = join(rootsDirectory, `unpacked-${name}`);
  if (existsSync(path)) return path;
  mkdirSync(rootsDirectory, { recursive: true });
  const script = [
    `test -d ${path} && exit 0`,
    'folder=$(mktemp -d); cd $folder; chmod 755 .',
    `apt-get download -q ${name} || { apt-get update -q && apt-get download -q ${name}; }`,
    `dpkg -x ./*.deb ${path}.new && mv -T ${path}.new ${path}; rm -r $folder; test -d ${path}`,
  ].join('\n');
  await must(['flock', `${rootsDirectory}.lock`, 'sh', '-c', script], { timeout: 120_000 });
  return path;
}
